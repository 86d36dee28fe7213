/*
 * bs4nn_stages_pictures.c - see bs4nn_stages_pictures.h.
 *
 * In place: values are written in the order in which they are read, each after the whole square that it stands for, so
 * that no value is lost that is still to be read.
 */
#include "bs4nn_stages_pictures.h"

#include "bs4nn_compiler.h"

/* Squares of four values, in a third of the instructions that the way for any square takes. */
static void halve(const uint8_t *from, uint8_t *to, uint32_t rows, uint32_t columns)
{
    for (; rows > 0u; rows -= 2u) {
        const uint8_t *end = from + columns;
        for (; from != end; from += 2) {
            *to++ = (uint8_t)(((uint32_t)from[0] + from[1] + from[columns] + from[columns + 1u] + 2u) >> 2);
        }
        from += columns;
    }
}

ONE_OF_MANY void bs4nn_square_means(const uint8_t *from, uint8_t *to, uint32_t rows, uint32_t columns, uint32_t side)
{
    if (side == 2u) {
        halve(from, to, rows, columns);
        return;
    }
    const uint32_t area = side * side;
    /* A core may have no division. With sum < 256 * area <= 2^24 the product stays below 2^32, and what is left of the
     * reciprocal makes the mean one too small at the most. */
    const uint32_t reciprocal = (1uL << 24) / area;
    for (uint32_t top = 0; top < rows; top += side) {
        for (uint32_t left = 0; left < columns; left += side) {
            const uint8_t *value = from + left;
            uint32_t sum = area / 2u;
            for (uint32_t y = side; y > 0u; y--) {
                for (const uint8_t *end = value + side; value != end; value++) {
                    sum += *value;
                }
                value += columns - side;
            }
            uint32_t mean = (sum * reciprocal) >> 24;
            mean += sum - mean * area >= area;
            *to++ = (uint8_t)mean;
        }
        from += side * columns;
    }
}
