/*
 * int8_dense.c - every weight is multiplied; two neurons at a time, so that an input is loaded once for both.
 */
#include "int8.h"

/* One row a neuron, and an even number of them. */
static void layer(const uint8_t *inputs, int32_t count, const int8_t *weights, const int32_t *bias, int32_t neurons,
                  int32_t *sums)
{
    for (int32_t n = 0; n < neurons; n += 2) {
        const int8_t *first = weights + n * count;
        const int8_t *second = first + count;
        int32_t a = bias[n];
        int32_t b = bias[n + 1];
        for (int32_t i = 0; i < count; i++) {
            int32_t x = inputs[i];
            a += x * first[i];
            b += x * second[i];
        }
        sums[n] = a;
        sums[n + 1] = b;
    }
}
