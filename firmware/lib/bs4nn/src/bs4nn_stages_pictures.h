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

#ifdef __cplusplus
}
#endif

#endif /* BS4NN_STAGES_PICTURES_H */
