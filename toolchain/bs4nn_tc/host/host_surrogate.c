/*
 * host_surrogate.c - the recipe "best": cross-entropy over the output potentials at the deciding step, a
 * triangle around the threshold in the highest potential as the surrogate of firing, Adam.
 */
#include "host_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* dL/dV of the output layer (softmax - one hot) into `slope`; returns the loss. */
static double output_slope(const run_t *run, int32_t label, float scale, float *slope)
{
    int32_t last = run->network->layer_count - 1;
    int32_t outputs = run->network->layers[last].neurons;
    const int16_t *potential = run->layers[last].potential;
    float highest = potential[0];
    double sum = 0;
    for (int32_t o = 1; o < outputs; o++) {
        highest = potential[o] > highest ? potential[o] : highest;
    }
    for (int32_t o = 0; o < outputs; o++) {
        slope[o] = expf(scale * ((float)potential[o] - highest));
        sum += slope[o];
    }
    double loss = log(sum) - (double)scale * ((double)potential[label] - (double)highest);
    for (int32_t o = 0; o < outputs; o++) {
        slope[o] = (float)(slope[o] / sum);
    }
    slope[label] -= 1.0f;
    return loss;
}

/* Slopes of a hidden layer from those of the layer above, through the signs and the surrogate; 0 of silent neurons. */
static void hidden_slope(const run_t *run, int32_t l, const uint8_t *silent, float window, const float *above,
                         float *slope)
{
    const host_layer_t *layer = &run->network->layers[l];
    const host_layer_t *next = &run->network->layers[l + 1];
    for (int32_t j = 0; j < layer->neurons; j++) {
        float share = host_surrogate(run->layers[l].peak[j], run_threshold(run, l, j), window);
        slope[j] = 0.0f;
        if (share > 0.0f && (silent == NULL || !silent[j])) {
            const int8_t *row = next->signs + (int64_t)j * next->neurons;
            float sum = 0.0f;
            for (int32_t o = 0; o < next->neurons; o++) {
                sum += (float)row[o] * above[o];
            }
            slope[j] = sum * share;
        }
    }
}

/* Add the slopes to the gradient of every spike that arrived in time to matter. */
static void add_gradients(const run_t *run, int32_t l, const float *slope, float *masked, float *gradient)
{
    const host_layer_t *layer = &run->network->layers[l];
    const layer_run_t *state = &run->layers[l];
    int32_t is_output = l == run->network->layer_count - 1;
    const int32_t *spikes = l == 0 ? run->inputs : run->layers[l - 1].spikes;
    const int32_t *times = l == 0 ? run->input_time : run->layers[l - 1].time;
    int32_t count = l == 0 ? run->first_at[run->deciding_step + 1] : run->layers[l - 1].spike_count;
    int32_t step = -1;
    for (int32_t k = 0; k < count; k++) {
        int32_t i = spikes[k];
        if (times[i] != step) {
            step = times[i];
            for (int32_t j = 0; j < layer->neurons; j++) {
                masked[j] = is_output || state->peak_step[j] >= step ? slope[j] : 0.0f;
            }
        }
        float *row = gradient + (int64_t)i * layer->neurons;
        for (int32_t j = 0; j < layer->neurons; j++) {
            row[j] += masked[j];
        }
    }
}

int host_surrogate_gradients(const host_network_t *network, const host_images_t *images,
                             const host_dropout_t *dropout, host_surrogate_t *surrogate)
{
    run_t run;
    size_t widest = 0;
    int32_t last = network->layer_count - 1;
    int32_t hidden = 0;
    for (int32_t l = 0; l <= last; l++) {
        size_t neurons = (size_t)network->layers[l].neurons;
        widest = neurons > widest ? neurons : widest;
        hidden += l < last ? network->layers[l].neurons : 0;
    }
    float *memory = malloc(3 * widest * sizeof *memory);
    if (memory == NULL || run_open(&run, network) != 0) {
        free(memory);
        return -1;
    }
    run.wants_peaks = 1;
    run.kept = dropout->kept;
    float *slope = memory;
    float *below = memory + widest;
    float *masked = memory + 2 * widest;
    for (int64_t n = 0; n < images->count; n++) {
        run.silent = host_silent(dropout, n, hidden);
        const uint8_t *silent = run.silent != NULL ? run.silent + hidden : NULL; /* behind those of layer l */
        run_image(&run, images->images + n * network->layers[0].inputs, 0, NOBODY);
        surrogate->loss += output_slope(&run, images->labels[n], surrogate->scale, slope);
        for (int32_t l = last; l >= 0; l--) {
            add_gradients(&run, l, slope, masked, surrogate->gradients[l]);
            if (l > 0) {
                silent = silent != NULL ? silent - network->layers[l - 1].neurons : NULL;
                hidden_slope(&run, l - 1, silent, surrogate->windows[l - 1], slope, below);
                float *threshold_gradients = surrogate->threshold_gradients[l - 1];
                for (int32_t j = 0; j < network->layers[l - 1].neurons; j++) {
                    threshold_gradients[j] -= below[j];
                }
                float *swapped = slope;
                slope = below;
                below = swapped;
            }
        }
    }
    run_close(&run);
    free(memory);
    return 0;
}

int64_t host_adam(const host_moments_t *moments, float *const *gradients, int32_t parts, const host_adam_t *step)
{
    float *proxies = moments->proxies;
    float *mean = moments->mean;
    float *square = moments->square;
    int8_t *signs = moments->signs;
    const int64_t count = moments->count;
    const host_adam_t by = *step;
    const float keep_mean = 0.9f;
    const float keep_square = 0.999f;
    const float epsilon = 1e-8f;
    int64_t flips = 0;
    for (int32_t part = 1; part < parts; part++) {
        float *restrict sum = gradients[0];
        float *restrict more = gradients[part];
        for (int64_t i = 0; i < count; i++) {
            sum[i] += more[i];
        }
        memset(more, 0, (size_t)count * sizeof *more);
    }
    float *restrict sum = gradients[0];
    for (int64_t i = 0; i < count; i++) {
        float gradient = sum[i] * by.gradient_scale;
        mean[i] = keep_mean * mean[i] + (1.0f - keep_mean) * gradient;
        square[i] = keep_square * square[i] + (1.0f - keep_square) * gradient * gradient;
        float proxy = proxies[i]
            - by.rate * (mean[i] * by.mean_correction) / (sqrtf(square[i] * by.square_correction) + epsilon);
        proxy = proxy > 1.0f ? 1.0f : proxy < -1.0f ? -1.0f : proxy;
        int8_t sign = proxy >= 0.0f ? 1 : -1;
        flips += sign != signs[i];
        proxies[i] = proxy;
        signs[i] = sign;
        sum[i] = 0.0f;
    }
    return flips;
}

/* Where between the control points of a field pixel `k` of `pixels` lies: the one before, and how far on. */
static int32_t between(int32_t k, int32_t pixels, float *share)
{
    float place = pixels > 1 ? (float)k * (float)(HOST_WARP_POINTS - 1) / (float)(pixels - 1) : 0.0f;
    int32_t point = (int32_t)place < HOST_WARP_POINTS - 2 ? (int32_t)place : HOST_WARP_POINTS - 2;
    *share = place - (float)point;
    return point;
}

/* The field between its control points, bilinear. */
static float displacement(const float *field, int32_t row, float down, int32_t column, float right)
{
    const float *at = field + row * HOST_WARP_POINTS + column;
    const float *below = at + HOST_WARP_POINTS;
    return (1.0f - down) * ((1.0f - right) * at[0] + right * at[1]) + down * ((1.0f - right) * below[0] + right * below[1]);
}

void host_warp(const uint8_t *images, int32_t count, int32_t rows, int32_t columns, const float *maps,
               const float *fields, uint8_t *warped)
{
    for (int32_t n = 0; n < count; n++) {
        const uint8_t *image = images + (int64_t)n * rows * columns;
        uint8_t *to = warped + (int64_t)n * rows * columns;
        const float *map = maps + 6 * (int64_t)n;
        const float *field_x = fields + 2 * HOST_WARP_POINTS * HOST_WARP_POINTS * (int64_t)n;
        const float *field_y = field_x + HOST_WARP_POINTS * HOST_WARP_POINTS;
        for (int32_t y = 0; y < rows; y++) {
            float down;
            int32_t row = between(y, rows, &down);
            for (int32_t x = 0; x < columns; x++) {
                float right;
                int32_t column = between(x, columns, &right);
                float from_x = map[0] * (float)x + map[1] * (float)y + map[2]
                             + displacement(field_x, row, down, column, right);
                float from_y = map[3] * (float)x + map[4] * (float)y + map[5]
                             + displacement(field_y, row, down, column, right);
                int32_t left = (int32_t)floorf(from_x);
                int32_t top = (int32_t)floorf(from_y);
                float right_share = from_x - (float)left;
                float bottom_share = from_y - (float)top;
                float value = 0.0f;
                for (int32_t corner = 0; corner < 4; corner++) { /* outside the image it is black */
                    int32_t cx = left + (corner & 1);
                    int32_t cy = top + (corner >> 1);
                    if (cx >= 0 && cx < columns && cy >= 0 && cy < rows) {
                        float share_x = corner & 1 ? right_share : 1.0f - right_share;
                        float share_y = corner >> 1 ? bottom_share : 1.0f - bottom_share;
                        value += share_x * share_y * (float)image[cy * columns + cx];
                    }
                }
                to[y * columns + x] = (uint8_t)(value + 0.5f);
            }
        }
    }
}
