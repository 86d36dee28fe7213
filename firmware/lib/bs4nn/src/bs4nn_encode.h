/*
 * bs4nn_encode.h - the input stage of both kernels: pixels become spikes, grouped by step. Nothing after it sees an
 * intensity.
 *
 * A pixel fires at step floor((intensity_max - intensity) * T / intensity_max) (equation 1 of SPEC.md), a black one never.
 * So the brightest come first: pixels sorted by intensity are the spikes in their order, and steps at which too few have
 * come are passed over.
 */
#ifndef BS4NN_ENCODE_H
#define BS4NN_ENCODE_H

#include "bs4nn_layout.h"

typedef struct {
    uint16_t steps_a_unit; /* as in the network, ... */
    uint8_t remainder_a_unit;
    uint8_t intensity_max; /* ... at hand for every intensity */
    half_t *spikes;      /* pixels that are not black, the brightest first */
    uint32_t known;      /* so many */
    uint32_t delivered;  /* so many have fired */
    uint32_t step;       /* at which the next intensity fires, ... */
    uint32_t remainder;  /* ... what the division of equation 1 leaves, ... */
    const half_t *place; /* ... and how many pixels have that intensity or are brighter */
} BS4NN_ALIGNED input_t;

/*
 * Begin with the brightest intensity. `places` tells of every intensity how many pixels have it or are brighter. Returns 0
 * or a negative error.
 */
static inline int begin_input(input_t *input, const bs4nn_network_t *network, half_t *places)
{
    uint32_t intensity_max = network->intensity_max;
    input->steps_a_unit = network->steps_a_unit;
    input->remainder_a_unit = network->remainder_a_unit;
    input->intensity_max = network->intensity_max;
    input->delivered = 0;
    input->step = 0;
    input->remainder = 0;
    input->place = places + intensity_max;
    if (intensity_max < UINT8_MAX && input->place[1] != 0u) {
        return BS4NN_ERROR_PIXEL;
    }
    places[0] = UINT16_MAX; /* where every search ends: a black pixel fires at step T, which is never */
    return 0;
}

/* Go on to an intensity that is darker by so much, and find its step without a division. */
static INPUT_INLINE void next_intensity(input_t *input, uint32_t darker)
{
    uint32_t intensity_max = input->intensity_max;
    uint32_t step = input->step + darker * input->steps_a_unit;
    uint32_t remainder = input->remainder + darker * input->remainder_a_unit;
    while (remainder >= intensity_max) {
        remainder -= intensity_max;
        step++;
    }
    input->place -= darker;
    input->step = step;
    input->remainder = remainder;
}

/* Pass over all intensities at whose end fewer than `due` pixels have fired, for nothing can happen then. */
static inline void skip_intensities(input_t *input, uint32_t due)
{
    const half_t *place = input->place + 1;
    uint32_t count;
    do {
        count = *--place;
    } while (count < due);
    uint32_t darker = (uint32_t)(input->place - place);
    KEEP_HERE(place);
    if (darker != 0u) {
        input->delivered = place[1];
        next_intensity(input, darker);
    }
}

/* Let the pixels fire whose step it is. */
static inline void deliver(input_t *input, uint32_t step)
{
    while (input->step == step) {
        input->delivered = *input->place;
        next_intensity(input, 1);
    }
}

#endif /* BS4NN_ENCODE_H */
