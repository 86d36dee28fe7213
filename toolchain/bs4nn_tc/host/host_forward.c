/*
 * host_forward.c - the forward pass of training, event by event, up to the decision: 16-bit potentials that the
 * compiler vectorises, and what the backward passes need of them.
 */
#include "host_run.h"

#include <stdlib.h>
#include <string.h>

/* Neurons that are compared with their levels at once. Memory is rounded up to as many, with levels out of reach. */
#define BLOCK 32

/* ---- Memory ---- */

static size_t rounded(size_t bytes)
{
    const size_t unit = BLOCK * sizeof(int16_t);
    return (bytes + unit - 1u) / unit * unit;
}

static void *take(char **next, size_t bytes)
{
    void *taken = *next;
    *next += rounded(bytes);
    return taken;
}

int run_open(run_t *run, const host_network_t *network)
{
    size_t inputs = (size_t)network->layers[0].inputs;
    size_t steps = (size_t)network->time_steps;
    size_t outputs = (size_t)network->layers[network->layer_count - 1].neurons;
    size_t bytes = 2 * rounded(inputs * sizeof(int32_t)) + rounded((steps + 2) * sizeof(int32_t))
        + rounded(outputs * sizeof(int32_t));
    for (int32_t l = 0; l < network->layer_count; l++) {
        size_t neurons = (size_t)network->layers[l].neurons;
        bytes += 4 * rounded(neurons * sizeof(int16_t)) + 2 * rounded(neurons * sizeof(int32_t));
    }
    memset(run, 0, sizeof *run);
    run->network = network;
    run->memory = malloc(bytes);
    if (run->memory == NULL) {
        return -1;
    }
    char *next = run->memory;
    run->input_time = take(&next, inputs * sizeof(int32_t));
    run->inputs = take(&next, inputs * sizeof(int32_t));
    run->first_at = take(&next, (steps + 2) * sizeof(int32_t));
    run->readout = take(&next, outputs * sizeof(int32_t));
    for (int32_t l = 0; l < network->layer_count; l++) {
        size_t neurons = (size_t)network->layers[l].neurons;
        run->layers[l].potential = take(&next, neurons * sizeof(int16_t));
        run->layers[l].level = take(&next, neurons * sizeof(int16_t));
        run->layers[l].peak = take(&next, neurons * sizeof(int16_t));
        run->layers[l].peak_step = take(&next, neurons * sizeof(int16_t));
        run->layers[l].time = take(&next, neurons * sizeof(int32_t));
        run->layers[l].spikes = take(&next, neurons * sizeof(int32_t));
        for (size_t j = neurons; j % BLOCK != 0; j++) {
            run->layers[l].potential[j] = 0;
            run->layers[l].level[j] = INT16_MAX;
        }
    }
    return 0;
}

void run_close(run_t *run)
{
    free(run->memory);
    run->memory = NULL;
}

/* ---- Encoding ---- */

/* Counting sort of the input spikes by their times. */
static void encode(run_t *run, const uint8_t *image)
{
    const host_network_t *network = run->network;
    int32_t inputs = network->layers[0].inputs;
    int32_t steps = network->time_steps;
    int32_t *first_at = run->first_at;

    memset(first_at, 0, ((size_t)steps + 2) * sizeof *first_at);
    for (int32_t i = 0; i < inputs; i++) {
        int32_t time = network->step_of_intensity[image[i]];
        run->input_time[i] = time;
        first_at[time + 1]++; /* those that never fire are counted behind the last step */
    }
    for (int32_t t = 0; t < steps; t++) {
        first_at[t + 1] += first_at[t];
    }
    for (int32_t i = 0; i < inputs; i++) {
        if (run->input_time[i] < steps) {
            run->inputs[first_at[run->input_time[i]]++] = i;
        }
    }
    for (int32_t t = steps; t > 0; t--) { /* the fill has moved every start to its end */
        first_at[t] = first_at[t - 1];
    }
    first_at[0] = 0;
}

/* ---- One layer at one step ---- */

static void arrive(layer_run_t *run, const host_layer_t *layer, const int32_t *inputs, int32_t count)
{
    int32_t neurons = layer->neurons;
    int16_t *potential = run->potential;
    int32_t k = 0;
    for (; k + 4 <= count; k += 4) { /* four rows at a time: the sum of four signs fits a byte */
        const int8_t *a = layer->signs + (int64_t)inputs[k] * neurons;
        const int8_t *b = layer->signs + (int64_t)inputs[k + 1] * neurons;
        const int8_t *c = layer->signs + (int64_t)inputs[k + 2] * neurons;
        const int8_t *d = layer->signs + (int64_t)inputs[k + 3] * neurons;
        for (int32_t j = 0; j < neurons; j++) {
            potential[j] = (int16_t)(potential[j] + (int8_t)(a[j] + b[j] + c[j] + d[j]));
        }
    }
    for (; k < count; k++) {
        const int8_t *row = layer->signs + (int64_t)inputs[k] * neurons;
        for (int32_t j = 0; j < neurons; j++) {
            potential[j] = (int16_t)(potential[j] + row[j]);
        }
    }
}

/* The highest potentials so far; 16 bits throughout, so that the compiler makes vectors of it. */
static void follow_peaks(layer_run_t *run, int32_t neurons, uint16_t step)
{
    int16_t *restrict peak = run->peak;
    uint16_t *restrict peak_step = run->peak_step;
    const int16_t *restrict potential = run->potential;
    if (step == 0) { /* no step before this one: here the potentials stand highest */
        memcpy(peak, potential, (size_t)neurons * sizeof *potential);
        return;
    }
    for (int32_t j = 0; j < neurons; j++) {
        int higher = potential[j] > peak[j];
        peak[j] = higher ? potential[j] : peak[j];
        peak_step[j] = higher ? step : peak_step[j];
    }
}

static void fire(layer_run_t *run, const host_layer_t *layer, int32_t step, int32_t delay, int32_t time_steps)
{
    int32_t neurons = layer->neurons;
    for (int32_t first = 0; first < neurons; first += BLOCK) {
        const int16_t *restrict potential = run->potential + first;
        int16_t *restrict level = run->level + first;
        int16_t reached = 0;
        for (int32_t j = 0; j < BLOCK; j++) {
            reached = (int16_t)(reached | (potential[j] >= level[j] ? 1 : 0));
        }
        if (reached == 0) { /* most blocks, at most steps */
            continue;
        }
        for (int32_t j = 0; j < BLOCK; j++) {
            if (potential[j] >= level[j]) {
                level[j] = INT16_MAX;
                run->time[first + j] = step + delay < time_steps ? step + delay : time_steps;
                if (run->time[first + j] < time_steps) {
                    run->spikes[run->spike_count++] = first + j;
                }
            }
        }
    }
}

/* ---- One image ---- */

/* Rule 3 among the output neurons that cross at this step, if they are the first. */
static void decide(run_t *run, int32_t step)
{
    const host_network_t *network = run->network;
    const layer_run_t *output = &run->layers[network->layer_count - 1];
    if (run->response_time < network->time_steps || output->spike_count == 0) {
        return;
    }
    run->response_time = step + network->delay;
    run->deciding_step = step;
    run->answer = output->spikes[0];
    for (int32_t k = 1; k < output->spike_count; k++) {
        if (output->potential[output->spikes[k]] > output->potential[run->answer]) {
            run->answer = output->spikes[k];
        }
    }
}

static void read_out(run_t *run)
{
    const host_network_t *network = run->network;
    const layer_run_t *output = &run->layers[network->layer_count - 1];
    for (int32_t j = 0; j < network->layers[network->layer_count - 1].neurons; j++) {
        run->readout[j] = output->potential[j];
    }
}

static void begin(run_t *run)
{
    const host_network_t *network = run->network;
    const uint8_t *silent = run->silent;
    for (int32_t l = 0; l < network->layer_count; l++) {
        layer_run_t *layer = &run->layers[l];
        int32_t neurons = network->layers[l].neurons;
        memset(layer->potential, 0, (size_t)neurons * sizeof *layer->potential);
        memset(layer->peak_step, 0, (size_t)neurons * sizeof *layer->peak_step);
        for (int32_t j = 0; j < neurons; j++) {
            int32_t threshold = run_threshold(run, l, j);
            layer->peak[j] = 0; /* where it stands until something arrives */
            layer->level[j] = (int16_t)(threshold < INT16_MAX ? threshold : INT16_MAX);
            layer->time[j] = network->time_steps;
        }
        if (silent != NULL && l + 1 < network->layer_count) {
            for (int32_t j = 0; j < neurons; j++) {
                layer->level[j] = silent[j] ? INT16_MAX : layer->level[j];
            }
            silent += neurons;
        }
        layer->spike_count = 0;
        layer->fresh = 0;
    }
    run->response_time = network->time_steps;
    run->deciding_step = network->time_steps - 1;
    run->answer = -1;
}

static void finish(run_t *run)
{
    const host_network_t *network = run->network;
    if (run->answer < 0) {
        int32_t outputs = network->layers[network->layer_count - 1].neurons;
        run->answer = 0;
        for (int32_t j = 1; j < outputs; j++) {
            if (run->readout[j] > run->readout[run->answer]) {
                run->answer = j;
            }
        }
    }
}

void run_image(run_t *run, const uint8_t *image, int32_t margin, int32_t awaited)
{
    const host_network_t *network = run->network;
    int32_t last = network->layer_count - 1;
    const int32_t *output_time = run->layers[last].time;
    encode(run, image);
    begin(run);
    for (int32_t step = 0; step < network->time_steps; step++) {
        /* Without delay a spike climbs all layers within the step; with it, each layer takes what
         * fired below at the step before, so the layers go from the top down. */
        for (int32_t k = 0; k <= last; k++) {
            int32_t l = network->delay == 0 ? k : last - k;
            const int32_t *inputs = run->inputs + run->first_at[step];
            int32_t count = run->first_at[step + 1] - run->first_at[step];
            if (l > 0) {
                layer_run_t *below = &run->layers[l - 1];
                inputs = below->spikes + below->fresh;
                count = below->spike_count - below->fresh;
                below->fresh = below->spike_count;
            }
            if (count > 0) {
                arrive(&run->layers[l], &network->layers[l], inputs, count);
                if (run->wants_peaks) {
                    follow_peaks(&run->layers[l], network->layers[l].neurons, (uint16_t)step);
                }
                fire(&run->layers[l], &network->layers[l], step, network->delay, network->time_steps);
            }
            if (l == last) {
                decide(run, step);
                if (run->answer >= 0 && step - run->deciding_step >= margin
                    && (awaited == NOBODY || output_time[awaited] < network->time_steps)) {
                    return;
                }
            }
        }
        if (step == network->readout_step) {
            read_out(run);
        }
    }
    finish(run);
}

int host_forward(const host_network_t *network, const host_images_t *images, int32_t margin,
                 const host_stopped_t *stopped)
{
    run_t run;
    uint16_t *times = stopped->times;
    int32_t *potentials = stopped->potentials;
    int32_t last = network->layer_count - 1;
    if (run_open(&run, network) != 0) {
        return -1;
    }
    for (int64_t n = 0; n < images->count; n++) {
        run_image(&run, images->images + n * network->layers[0].inputs, margin,
                  images->labels != NULL ? images->labels[n] : NOBODY);
        for (int32_t l = 0; l <= last; l++) {
            for (int32_t j = 0; j < network->layers[l].neurons; j++) {
                *times++ = (uint16_t)run.layers[l].time[j];
            }
        }
        for (int32_t j = 0; j < network->layers[last].neurons; j++) {
            *potentials++ = run.layers[last].potential[j];
        }
        stopped->answer[n] = run.answer;
        stopped->response_time[n] = run.response_time;
    }
    run_close(&run);
    return 0;
}
