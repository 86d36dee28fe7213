/*
 * cmsis_nn.c - the layers of int8.h by CMSIS-NN: activations have the zero point -128 instead of 0, which gives the
 * same results.
 */
#include "model.h"
#include "peer.h"

#include <arm_nnfunctions.h>

#define ZERO_POINT (-128)

static void layer(const int8_t *inputs, int32_t count, const int8_t *weights, const int32_t *bias, int32_t neurons,
                  int32_t multiplier, int32_t shift, int32_t zero_point, int8_t *outputs)
{
    static int32_t buffer[PEER_HIDDEN]; /* of an M55 and its like; arm_fully_connected_s8_get_buffer_size is 0 here */
    const cmsis_nn_context context = {buffer, sizeof buffer};
    const cmsis_nn_fc_params parameters = {-ZERO_POINT, 0, zero_point, {-128, 127}};
    const cmsis_nn_per_tensor_quant_params quantisation = {multiplier, -shift};
    const cmsis_nn_dims from = {1, 1, 1, count};
    const cmsis_nn_dims filter = {count, 1, 1, neurons};
    const cmsis_nn_dims to = {1, 1, 1, neurons};
    (void)arm_fully_connected_s8(&context, &parameters, &quantisation, &from, inputs, &filter, weights, &to, bias, &to,
                                 outputs);
}

int32_t peer_classify(const uint8_t *pixels, int32_t *scores)
{
    static int8_t inputs[PEER_INPUTS];
    static int8_t hidden[PEER_HIDDEN];
    static int8_t outputs[PEER_OUTPUTS];
    for (int32_t i = 0; i < PEER_INPUTS; i++) {
        inputs[i] = (int8_t)(pixels[i] + ZERO_POINT);
    }
    layer(inputs, PEER_INPUTS, int8_weights_0, int8_bias_0, PEER_HIDDEN, INT8_MULTIPLIER_0, INT8_SHIFT_0, ZERO_POINT,
          hidden);
    layer(hidden, PEER_HIDDEN, int8_weights_1, int8_bias_1, PEER_OUTPUTS, INT8_MULTIPLIER_1, INT8_SHIFT_1, 0, outputs);
    for (int32_t i = 0; i < PEER_OUTPUTS; i++) {
        scores[i] = outputs[i];
    }
    return peer_argmax(scores);
}
