/*
 * int8_skip.c - input by input, and an input of 0 is skipped; two inputs at a time, so that a sum is loaded and
 * stored once for both.
 */
#include "int8.h"

static void add(int32_t *sums, int32_t neurons, const int8_t *first, int32_t a, const int8_t *second, int32_t b)
{
    for (int32_t n = 0; n < neurons; n++) {
        sums[n] += a * first[n] + b * second[n];
    }
}

/* One row an input. */
static void layer(const uint8_t *inputs, int32_t count, const int8_t *weights, const int32_t *bias, int32_t neurons,
                  int32_t *sums)
{
    int32_t waiting = -1; /* an input that is not 0 and has no partner yet */
    for (int32_t n = 0; n < neurons; n++) {
        sums[n] = bias[n];
    }
    for (int32_t i = 0; i < count; i++) {
        if (inputs[i] == 0) {
            continue;
        }
        if (waiting < 0) {
            waiting = i;
            continue;
        }
        add(sums, neurons, weights + waiting * neurons, inputs[waiting], weights + i * neurons, inputs[i]);
        waiting = -1;
    }
    if (waiting >= 0) {
        const int8_t *row = weights + waiting * neurons;
        add(sums, neurons, row, inputs[waiting], row, 0);
    }
}
