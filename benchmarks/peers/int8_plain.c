/*
 * int8_plain.c - neuron by neuron, weight by weight, as one writes it first.
 */
#include "int8.h"

/* One row a neuron. */
static void layer(const uint8_t *inputs, int32_t count, const int8_t *weights, const int32_t *bias, int32_t neurons,
                  int32_t *sums)
{
    for (int32_t n = 0; n < neurons; n++) {
        int32_t sum = bias[n];
        for (int32_t i = 0; i < count; i++) {
            sum += inputs[i] * weights[n * count + i];
        }
        sums[n] = sum;
    }
}
