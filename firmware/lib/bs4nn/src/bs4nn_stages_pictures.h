/*
 * bs4nn_stages_pictures.h - stages of an input that take pictures: what is done to a sample before its values become
 * spikes, in whole numbers (SPEC.md). Generated code of networks with such stages calls them; nobody else needs this.
 */
#ifndef BS4NN_STAGES_PICTURES_H
#define BS4NN_STAGES_PICTURES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The rounded mean of every `side` x `side` values of a picture: floor((sum + floor(area / 2)) / area).
 *
 * `from` holds rows x columns values, row by row, both multiples of `side`, which is 1 to 255; `to` takes
 * rows / side x columns / side values. It may be `from` itself, the picture is then made smaller where it lies;
 * otherwise the two have nothing in common.
 */
void bs4nn_square_means(const uint8_t *from, uint8_t *to, uint32_t rows, uint32_t columns, uint32_t side);

/* Formats of colour pictures, as bs4nn_grey() takes them. */
enum { BS4NN_RGB565 = 0, BS4NN_RGB565LE = 1, BS4NN_RGB888 = 2, BS4NN_YUYV = 3 };

/*
 * Grey of a colour picture: of 5, 6 and 5 bits floor((633 R + 607 G + 239 B + 128) / 256), of bytes
 * floor((77 R + 150 G + 29 B + 128) / 256), and the Y of YUYV.
 *
 * `from` holds `count` pixels of `format`; `to` takes as many bytes and may be `from` itself.
 */
void bs4nn_grey(const uint8_t *from, uint8_t *to, uint32_t count, uint32_t format);

/*
 * A part of a picture: `rows` x `columns` values from value number `first` on, of a picture with `width` columns.
 *
 * `to` takes the part and may be `from` itself.
 */
void bs4nn_crop(const uint8_t *from, uint8_t *to, uint32_t width, uint32_t first, uint32_t rows, uint32_t columns);

/*
 * A picture in another size: the mean of the area that each new value covers, a half upwards.
 *
 * `from` holds rows x columns values, at most 2^20, and so many may be to_rows x to_columns; `scratch` has
 * 8 * to_columns bytes at an address for words. The three have nothing in common.
 */
void bs4nn_resize(const uint8_t *from, uint8_t *to, void *scratch, uint32_t rows, uint32_t columns, uint32_t to_rows,
                  uint32_t to_columns);

/* What each value lacks to `highest`: of `count` values in `from`, into `to`, which may be `from` itself. */
void bs4nn_invert(const uint8_t *from, uint8_t *to, uint32_t count, uint32_t highest);

/* What bs4nn_ink() is told, in this order: of what kind, the sides of cells and specks, and where the ink is laid. */
enum {
    BS4NN_INK_BRIGHT,      /* 1 for bright ink on a dark ground, 0 for dark ink */
    BS4NN_INK_CELL,        /* the side of the cells in which the ground is measured, as a power of 2: 2 to 7 */
    BS4NN_INK_SPECK,       /* how many values next to each other have to be ink, 1 to 34 */
    BS4NN_INK_ROWS,        /* of the result, 1 to 128 */
    BS4NN_INK_COLUMNS,
    BS4NN_INK_BOX_ROWS,    /* of the box that the ink is scaled into */
    BS4NN_INK_BOX_COLUMNS,
    BS4NN_INK_CENTRE_ROW,  /* of the place for its centre of mass, in 1/256 of a value */
    BS4NN_INK_CENTRE_COLUMN,
    BS4NN_INK_HIGHEST,     /* what ink becomes */
    BS4NN_INK_NUMBERS
};

/*
 * What is written on unevenly lit paper: its ground taken off, cut out, scaled into a box, its centre of mass at a
 * place; SPEC.md has every step. All 0 where there is no ink.
 *
 * `from` holds rows x columns values, each side 28 to 1,024; `to` takes the result. `scratch` has, at an address for
 * words, 3 bytes for each cell and for those of one more row or column all around, `columns` bytes, and what is more of
 * 1,024 bytes, `columns` bytes, and 256 + 8 * box columns; each of the three up to a multiple of 4.
 */
void bs4nn_ink(const uint8_t *from, uint8_t *to, void *scratch, const uint16_t *numbers, uint32_t rows,
               uint32_t columns);

#ifdef __cplusplus
}
#endif

#endif /* BS4NN_STAGES_PICTURES_H */
