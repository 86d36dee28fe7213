/*
 * host_s4nn.c - S4NN (arXiv 1910.09495), the system with real-valued weights that the paper compares with:
 * forward pass and temporal backpropagation, one image at a time.
 *
 * Neurons integrate without leak and fire once, one step after their potential exceeds the threshold.
 */
#include "host.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One image in one layer. */
typedef struct {
    int32_t *time;     /* (neurons) firing time, T = never; of the pixels for layer 0 */
    int32_t *order;    /* those that fire, by firing time */
    int32_t count;     /* of those */
    int32_t sent;      /* of those, how many have arrived at the layer above */
    float *potential;  /* (neurons) */
    float *crossing;   /* (neurons) potential at the step at which the threshold was crossed */
    float *error;      /* (neurons) */
    float *peak;       /* (neurons) highest potential */
    int32_t *until;    /* (neurons) the step after the first one at which it stood there */
} layer_run_t;

typedef struct {
    const host_s4nn_t *network;
    layer_run_t layers[HOST_MAX_LAYERS + 1]; /* 0: pixels */
    int32_t *starts;                         /* (T + 2) for sorting */
    float *readout;                          /* (outputs) potentials at the readout step */
    float *masked;                           /* errors of the neurons that an input fired before */
    void *memory;
} run_t;

static int run_open(run_t *run, const host_s4nn_t *network)
{
    size_t widest = 0;
    size_t all = 0;
    for (int32_t l = 0; l <= network->layer_count; l++) {
        size_t neurons = (size_t)network->sizes[l];
        widest = neurons > widest ? neurons : widest;
        all += neurons;
    }
    size_t words = 7 * all + (size_t)network->time_steps + 2 + 2 * widest;
    run->network = network;
    run->memory = malloc(words * sizeof(float));
    if (run->memory == NULL) {
        return -1;
    }
    float *next = run->memory;
    for (int32_t l = 0; l <= network->layer_count; l++) {
        layer_run_t *layer = &run->layers[l];
        size_t neurons = (size_t)network->sizes[l];
        layer->time = (int32_t *)next;
        layer->order = (int32_t *)next + neurons;
        layer->potential = next + 2 * neurons;
        layer->crossing = next + 3 * neurons;
        layer->error = next + 4 * neurons;
        layer->peak = next + 5 * neurons;
        layer->until = (int32_t *)next + 6 * neurons;
        next += 7 * neurons;
    }
    run->starts = (int32_t *)next;
    run->readout = next + network->time_steps + 2;
    run->masked = run->readout + widest;
    return 0;
}

/* Counting sort of the pixels that fire, by their firing times. */
static void sort_pixels(run_t *run)
{
    int32_t never = run->network->time_steps;
    int32_t pixels = run->network->sizes[0];
    layer_run_t *layer = &run->layers[0];
    memset(run->starts, 0, ((size_t)never + 2) * sizeof *run->starts);
    for (int32_t j = 0; j < pixels; j++) {
        run->starts[layer->time[j] + 1]++;
    }
    for (int32_t t = 0; t < never; t++) {
        run->starts[t + 1] += run->starts[t];
    }
    layer->count = run->starts[never];
    for (int32_t j = 0; j < pixels; j++) {
        if (layer->time[j] < never) {
            layer->order[run->starts[layer->time[j]]++] = j;
        }
    }
}

/* Put everything where it stands before the first step. */
static void run_start(run_t *run, const uint8_t *image)
{
    const host_s4nn_t *network = run->network;
    for (int32_t i = 0; i < network->sizes[0]; i++) {
        run->layers[0].time[i] = network->step_of_intensity[image[i]];
    }
    sort_pixels(run);
    run->layers[0].sent = 0;
    for (int32_t l = 1; l <= network->layer_count; l++) {
        layer_run_t *layer = &run->layers[l];
        layer->count = 0;
        layer->sent = 0;
        for (int32_t j = 0; j < network->sizes[l]; j++) {
            layer->time[j] = network->time_steps;
            layer->potential[j] = 0.0f;
            layer->crossing[j] = 0.0f;
            layer->peak[j] = 0.0f;
            layer->until[j] = 0;
        }
    }
}

/* Let spikes of this step arrive at layer l, and see who fires at the next one. */
static void run_layer(run_t *run, int32_t l, int32_t step)
{
    const host_s4nn_t *network = run->network;
    layer_run_t *below = &run->layers[l - 1];
    layer_run_t *layer = &run->layers[l];
    int32_t neurons = network->sizes[l];
    int32_t never = network->time_steps;
    float threshold = network->thresholds[l - 1];
    if (below->sent == below->count || below->time[below->order[below->sent]] != step) {
        return;
    }
    for (; below->sent < below->count && below->time[below->order[below->sent]] == step; below->sent++) {
        const float *row = network->weights[l - 1] + (int64_t)below->order[below->sent] * neurons;
        for (int32_t j = 0; j < neurons; j++) {
            layer->potential[j] += row[j];
        }
    }
    for (int32_t j = 0; j < neurons; j++) {
        int higher = layer->potential[j] > layer->peak[j];
        layer->peak[j] = higher ? layer->potential[j] : layer->peak[j];
        layer->until[j] = higher ? step + 1 : layer->until[j];
    }
    for (int32_t j = 0; j < neurons; j++) {
        if (layer->potential[j] > threshold && layer->time[j] == never && step + 1 < never) {
            layer->time[j] = step + 1;
            layer->crossing[j] = layer->potential[j];
            layer->order[layer->count++] = j;
        }
    }
}

/*
 * Run one image until everything is known of the first output firing time, which is returned, and of the `margin`
 * steps after it, and until neuron `awaited` (-1: none) has fired, or to the end.
 */
static int32_t run_image(run_t *run, const uint8_t *image, int32_t margin, int32_t awaited)
{
    const host_s4nn_t *network = run->network;
    const layer_run_t *output = &run->layers[network->layer_count];
    int32_t never = network->time_steps;
    int32_t read_at = never > 3 ? never - 3 : 0;
    int32_t first = never;
    run_start(run, image);
    for (int32_t step = 0; step < never; step++) {
        if (first < never && step >= first + margin && (awaited < 0 || output->time[awaited] <= step)) {
            break;
        }
        for (int32_t l = network->layer_count; l > 0; l--) { /* spikes of this step are known since the last one */
            run_layer(run, l, step);
        }
        if (first == never && output->count > 0) {
            first = step + 1;
        }
        if (step == read_at) {
            memcpy(run->readout, output->potential, (size_t)network->sizes[network->layer_count] * sizeof(float));
        }
    }
    return first;
}

/* The neuron that fires first, among several the one with the highest potential; if none does, by the readout. */
static int32_t answer_of(const run_t *run, int32_t first)
{
    const host_s4nn_t *network = run->network;
    const layer_run_t *output = &run->layers[network->layer_count];
    int32_t best = -1;
    float highest = 0.0f;
    for (int32_t j = 0; j < network->sizes[network->layer_count]; j++) {
        float potential = first < network->time_steps ? output->crossing[j] : run->readout[j];
        if (output->time[j] == first && (best < 0 || potential > highest)) {
            best = j;
            highest = potential;
        }
    }
    return best;
}

int host_s4nn_evaluate(const host_s4nn_t *network, const uint8_t *images, const int32_t *labels, int32_t count,
                       int32_t *answer, int32_t *response_time, uint8_t *lenient, int32_t *spikes, int64_t *fired)
{
    run_t run;
    const layer_run_t *output = &run.layers[network->layer_count];
    if (run_open(&run, network) != 0) {
        return -1;
    }
    for (int32_t n = 0; n < count; n++) {
        int32_t first = run_image(&run, images + (int64_t)n * network->sizes[0], 0, -1);
        response_time[n] = first;
        answer[n] = answer_of(&run, first);
        lenient[n] = first < network->time_steps ? output->time[labels[n]] == first : answer[n] == labels[n];
        spikes[n] = 0;
        for (int32_t l = 0; l < network->layer_count; l++) { /* those that have arrived when the first one fires */
            const layer_run_t *below = &run.layers[l];
            for (int32_t k = 0; k < below->count && below->time[below->order[k]] < first; k++) {
                spikes[n]++;
            }
        }
        int64_t *counter = fired;
        for (int32_t l = 1; l < network->layer_count; l++) {
            for (int32_t k = 0; k < run.layers[l].count; k++) {
                counter[run.layers[l].order[k]]++;
            }
            counter += network->sizes[l];
        }
    }
    free(run.memory);
    return 0;
}

/* (target - firing time) / T of the output neurons; returns 1 if the label is among the first to fire. */
static int output_error(run_t *run, int32_t first, int32_t label, const host_s4nn_learning_t *options)
{
    int32_t gamma = options->gamma;
    const host_s4nn_t *network = run->network;
    layer_run_t *output = &run->layers[network->layer_count];
    int32_t never = network->time_steps;
    for (int32_t j = 0; j < network->sizes[network->layer_count]; j++) {
        int32_t target = output->time[j];
        if (first == never) {
            target = j == label ? never - gamma : never;
        } else if (j == label) {
            target = first;
        } else if (output->time[j] - first < gamma) {
            target = first + gamma < never ? first + gamma : never;
        }
        output->error[j] = (float)(target - output->time[j]) / (float)never;
    }
    if (options->balanced && first < never) {
        host_balance(output->error, network->sizes[network->layer_count], label);
    }
    return first < never ? output->time[label] == first : answer_of(run, first) == label;
}

/* Errors of hidden neurons count by how near to their threshold they have come: the surrogate of "best". */
static void narrow(layer_run_t *layer, int32_t neurons, float threshold, float window)
{
    for (int32_t j = 0; j < neurons; j++) {
        float share = 1.0f - fabsf(layer->peak[j] - threshold) / window;
        layer->error[j] *= share > 0.0f ? share : 0.0f;
    }
}

/*
 * Move the weights of layer l against its errors, and leave the errors of the layer below. Inputs count that come
 * before `until` (neurons).
 */
static void learn_layer(run_t *run, int32_t l, float *weights, float rate, const int32_t *until)
{
    layer_run_t *layer = &run->layers[l];
    layer_run_t *below = &run->layers[l - 1];
    int32_t neurons = run->network->sizes[l];
    int32_t masked_for = -1;
    memset(below->error, 0, (size_t)run->network->sizes[l - 1] * sizeof *below->error);
    if (!host_normalise(layer->error, neurons)) {
        return;
    }
    for (int32_t k = 0; k < below->count; k++) {
        int32_t i = below->order[k];
        float *row = weights + (int64_t)i * neurons;
        float sum = 0.0f;
        if (below->time[i] != masked_for) {
            masked_for = below->time[i];
            for (int32_t j = 0; j < neurons; j++) {
                run->masked[j] = masked_for < until[j] ? layer->error[j] : 0.0f;
            }
        }
        for (int32_t j = 0; j < neurons; j++) {
            row[j] -= rate * run->masked[j];
            if (l > 1) {
                sum += row[j] * run->masked[j];
            }
        }
        below->error[i] = sum;
    }
}

int64_t host_s4nn_learn(host_s4nn_t *network, float *const *weights, const uint8_t *images, const int32_t *labels,
                        const int64_t *order, int64_t count, const host_s4nn_learning_t *options, int64_t *fired)
{
    run_t run;
    int64_t right = 0;
    if (run_open(&run, network) != 0) {
        return -1;
    }
    for (int64_t n = 0; n < count; n++) {
        int32_t first = run_image(&run, images + order[n] * network->sizes[0], options->gamma - 1, labels[order[n]]);
        right += output_error(&run, first, labels[order[n]], options);
        int64_t *counter = fired;
        for (int32_t l = 1; l < network->layer_count; l++) {
            for (int32_t k = 0; k < run.layers[l].count; k++) {
                counter[run.layers[l].order[k]]++;
            }
            counter += network->sizes[l];
        }
        for (int32_t l = network->layer_count; l > 0; l--) {
            layer_run_t *layer = &run.layers[l];
            int by_peaks = options->window > 0.0f && l < network->layer_count;
            if (by_peaks) {
                narrow(layer, network->sizes[l], network->thresholds[l - 1], options->window);
            }
            learn_layer(&run, l, weights[l - 1], options->rate, by_peaks ? layer->until : layer->time);
        }
    }
    free(run.memory);
    return right;
}
