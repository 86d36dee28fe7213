/*
 * bs4nn_stages.h - what is done to a sample before its values become spikes, in whole numbers.
 *
 * Generated code calls it: bs4nn_net_NAME_prepare() of a network whose input has stages, see SPEC.md. Networks without
 * stages need neither this file nor bs4nn_stages.c.
 */
#ifndef BS4NN_STAGES_H
#define BS4NN_STAGES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The rounded mean of every `side` x `side` values of a picture: floor((sum + floor(area / 2)) / area).
 *
 * `sample` holds rows x columns values, row by row, both multiples of `side`, which is 1 to 255; `pixels` takes
 * rows / side x columns / side values. It may be `sample` itself, the picture is then made smaller where it lies;
 * otherwise the two have nothing in common.
 */
void bs4nn_square_means(const uint8_t *sample, uint8_t *pixels, uint16_t rows, uint16_t columns, uint16_t side);

#ifdef __cplusplus
}
#endif

#endif /* BS4NN_STAGES_H */
