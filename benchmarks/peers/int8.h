/*
 * int8.h - two fully connected layers in int8, plain C: inputs of 0 .. 255 (their zero point is 0), weights of
 * -127 .. 127, sums of 32 bits, and ReLU by clamping at 0.
 *
 * The one file that includes this defines `layer`; it is no library, so that the compiler knows the sizes.
 */
#ifndef INT8_H
#define INT8_H

#include "model.h"
#include "peer.h"

/* The sums of one layer; what a row of `weights` is, is up to the file. */
static void layer(const uint8_t *inputs, int32_t count, const int8_t *weights, const int32_t *bias, int32_t neurons,
                  int32_t *sums);

/* As TensorFlow Lite: times a multiplier of 31 fractional bits, then a shift to the right, each rounded. */
static int32_t requantise(int32_t sum, int32_t multiplier, int32_t shift)
{
    int32_t high = (int32_t)(((int64_t)sum * multiplier + (1 << 30)) >> 31);
    int32_t mask = (1 << shift) - 1;
    return (high >> shift) + ((high & mask) > (mask >> 1) + (high < 0));
}

static int32_t clamp(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}

int32_t peer_classify(const uint8_t *pixels, int32_t *scores)
{
    static int32_t sums[PEER_HIDDEN];
    static uint8_t hidden[PEER_HIDDEN];
    layer(pixels, PEER_INPUTS, int8_weights_0, int8_bias_0, PEER_HIDDEN, sums);
    for (int32_t i = 0; i < PEER_HIDDEN; i++) {
        hidden[i] = (uint8_t)clamp(requantise(sums[i], INT8_MULTIPLIER_0, INT8_SHIFT_0), 0, 255);
    }
    layer(hidden, PEER_HIDDEN, int8_weights_1, int8_bias_1, PEER_OUTPUTS, scores);
    for (int32_t i = 0; i < PEER_OUTPUTS; i++) {
        scores[i] = clamp(requantise(scores[i], INT8_MULTIPLIER_1, INT8_SHIFT_1), -128, 127);
    }
    return peer_argmax(scores);
}

#endif /* INT8_H */
