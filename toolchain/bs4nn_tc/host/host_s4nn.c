/*
 * host_s4nn.c - S4NN (arXiv 1910.09495), the system with real-valued weights that the paper compares with:
 * forward pass and temporal backpropagation, one image at a time.
 *
 * Neurons integrate without leak and fire once, one step after their potential exceeds the threshold. A layer's
 * firing times depend on the layer below only, so layers run one after another, each from its sorted spikes.
 */
#include "host.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One image in one layer. */
typedef struct {
    int32_t *time;     /* (neurons) firing time, T = never; of the pixels for layer 0 */
    int32_t *order;    /* those that fire, by firing time */
    int32_t count;
    float *potential;  /* (neurons) */
    float *crossing;   /* (neurons) potential at the step at which the threshold was crossed */
    float *error;      /* (neurons) */
    float *peak;       /* (neurons) highest potential up to the last step that matters */
    int32_t *until;    /* (neurons) the step after the one at which it first stood there */
} layer_run_t;

typedef struct {
    const host_s4nn_t *network;
    layer_run_t layers[HOST_MAX_LAYERS + 1]; /* 0: pixels */
    int32_t *starts;                         /* (T + 2) for sorting */
    float *readout;                          /* (outputs) potentials at the readout step */
    float *masked;                           /* errors of the neurons that an input fired before */
    void *memory;
    const uint8_t *silent;                   /* (hidden neurons) those that have to stay silent; NULL: none */
    float kept;                              /* share of those that do not */
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
    run->silent = NULL;
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

/* Counting sort of the neurons that fire, by their firing times. */
static void sort_spikes(run_t *run, layer_run_t *layer, int32_t neurons)
{
    int32_t never = run->network->time_steps;
    memset(run->starts, 0, ((size_t)never + 2) * sizeof *run->starts);
    for (int32_t j = 0; j < neurons; j++) {
        run->starts[layer->time[j] + 1]++;
    }
    for (int32_t t = 0; t < never; t++) {
        run->starts[t + 1] += run->starts[t];
    }
    layer->count = run->starts[never];
    for (int32_t j = 0; j < neurons; j++) {
        if (layer->time[j] < never) {
            layer->order[run->starts[layer->time[j]]++] = j;
        }
    }
}

/* Without a branch, so that compilers take several neurons at once. */
static void fire(layer_run_t *layer, int32_t neurons, float threshold, int32_t step, int32_t never)
{
    const float *restrict potential = layer->potential;
    float *restrict crossing = layer->crossing;
    int32_t *restrict time = layer->time;
    int32_t arrival = step + 1 < never ? step + 1 : never;
    for (int32_t j = 0; j < neurons; j++) {
        int fires = (potential[j] > threshold) & (time[j] == never);
        time[j] = fires ? arrival : time[j];
        crossing[j] = fires ? potential[j] : crossing[j];
    }
}

/* Let all spikes arrive at layer l that come at the step of the k-th one below it; returns the index of the next. */
static int32_t arrive(run_t *run, int32_t l, int32_t k)
{
    const layer_run_t *below = &run->layers[l - 1];
    int32_t neurons = run->network->sizes[l];
    int32_t step = below->time[below->order[k]];
    float *restrict potential = run->layers[l].potential;
    for (; k < below->count && below->time[below->order[k]] == step; k++) {
        const float *restrict row = run->network->weights[l - 1] + (int64_t)below->order[k] * neurons;
        for (int32_t j = 0; j < neurons; j++) {
            potential[j] += row[j];
        }
    }
    return k;
}

/* The threshold of layer l, where some neurons below may have to stay silent. */
static float threshold_of(const run_t *run, int32_t l)
{
    float threshold = run->network->thresholds[l - 1];
    return run->silent == NULL || l == 1 ? threshold : threshold * run->kept;
}

/* Run one layer from the spikes of the layer below. The potentials at the readout step are left in run->readout. */
static void run_layer(run_t *run, int32_t l)
{
    const host_s4nn_t *network = run->network;
    const layer_run_t *below = &run->layers[l - 1];
    layer_run_t *layer = &run->layers[l];
    int32_t neurons = network->sizes[l];
    int32_t never = network->time_steps;
    int32_t read = 0;
    for (int32_t j = 0; j < neurons; j++) {
        layer->time[j] = never;
        layer->potential[j] = 0.0f;
        layer->crossing[j] = 0.0f;
    }
    for (int32_t k = 0; k < below->count;) {
        int32_t step = below->time[below->order[k]];
        if (!read && step > never - 3) {
            memcpy(run->readout, layer->potential, (size_t)neurons * sizeof *run->readout);
            read = 1;
        }
        k = arrive(run, l, k);
        fire(layer, neurons, threshold_of(run, l), step, never);
    }
    if (!read) {
        memcpy(run->readout, layer->potential, (size_t)neurons * sizeof *run->readout);
    }
    if (run->silent != NULL && l < network->layer_count) {
        const uint8_t *silent = run->silent;
        for (int32_t k = 1; k < l; k++) {
            silent += network->sizes[k];
        }
        for (int32_t j = 0; j < neurons; j++) {
            layer->time[j] = silent[j] ? never : layer->time[j];
        }
    }
    sort_spikes(run, layer, neurons);
}

/* Run one image; returns the first output firing time. */
static int32_t run_image(run_t *run, const uint8_t *image)
{
    const host_s4nn_t *network = run->network;
    const layer_run_t *output = &run->layers[network->layer_count];
    for (int32_t i = 0; i < network->sizes[0]; i++) {
        run->layers[0].time[i] = network->step_of_intensity[image[i]];
    }
    sort_spikes(run, &run->layers[0], network->sizes[0]);
    for (int32_t l = 1; l <= network->layer_count; l++) {
        run_layer(run, l);
    }
    return output->count > 0 ? output->time[output->order[0]] : network->time_steps;
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

/* Count on how many images hidden neurons fire. */
static void count_fired(const run_t *run, int64_t *fired)
{
    for (int32_t l = 1; l < run->network->layer_count; l++) {
        for (int32_t k = 0; k < run->layers[l].count; k++) {
            fired[run->layers[l].order[k]]++;
        }
        fired += run->network->sizes[l];
    }
}

int host_s4nn_evaluate(const host_s4nn_t *network, const host_images_t *images, const host_answers_t *answers)
{
    run_t run;
    const layer_run_t *output = &run.layers[network->layer_count];
    if (run_open(&run, network) != 0) {
        return -1;
    }
    for (int64_t n = 0; n < images->count; n++) {
        int32_t label = images->labels[n];
        int32_t first = run_image(&run, images->images + n * network->sizes[0]);
        int32_t answer = answer_of(&run, first);
        answers->response_time[n] = first;
        answers->answer[n] = answer;
        answers->lenient[n] = first < network->time_steps ? output->time[label] == first : answer == label;
        answers->spikes[n] = 0;
        for (int32_t l = 0; l < network->layer_count; l++) { /* those that have arrived when the first one fires */
            const layer_run_t *below = &run.layers[l];
            for (int32_t k = 0; k < below->count && below->time[below->order[k]] < first; k++) {
                answers->spikes[n]++;
            }
        }
        count_fired(&run, answers->fired);
    }
    free(run.memory);
    return 0;
}

/* Find the peaks of hidden layer l up to step `last`. */
static void find_peaks(run_t *run, int32_t l, int32_t last)
{
    const layer_run_t *below = &run->layers[l - 1];
    layer_run_t *layer = &run->layers[l];
    int32_t neurons = run->network->sizes[l];
    for (int32_t j = 0; j < neurons; j++) {
        layer->potential[j] = 0.0f;
        layer->peak[j] = 0.0f;
        layer->until[j] = 0;
    }
    for (int32_t k = 0; k < below->count && below->time[below->order[k]] <= last;) {
        int32_t step = below->time[below->order[k]];
        k = arrive(run, l, k);
        for (int32_t j = 0; j < neurons; j++) {
            layer->until[j] = layer->potential[j] > layer->peak[j] ? step + 1 : layer->until[j];
            layer->peak[j] = layer->potential[j] > layer->peak[j] ? layer->potential[j] : layer->peak[j];
        }
    }
}

/* Errors of hidden neurons count by how near to their thresholds they have come: a triangle, 1 at its top. */
static void narrow(run_t *run, int32_t l, float window)
{
    layer_run_t *layer = &run->layers[l];
    for (int32_t j = 0; j < run->network->sizes[l]; j++) {
        float distance = fabsf(layer->peak[j] - threshold_of(run, l)) / window;
        layer->error[j] *= distance < 1.0f ? 1.0f - distance : 0.0f;
    }
}

/* (target - firing time) / T of the output neurons; returns 1 if the label is among the first to fire. */
static int output_error(run_t *run, int32_t first, int32_t label, const host_s4nn_rules_t *rules)
{
    int32_t gamma = rules->gamma;
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
    if (rules->balanced && first < never) {
        host_balance(output->error, network->sizes[network->layer_count], label);
    }
    return first < never ? output->time[label] == first : answer_of(run, first) == label;
}

/* Move the weights of layer l against its errors, and leave the errors of the layer below. */
static void learn_layer(run_t *run, int32_t l, const host_s4nn_rules_t *rules)
{
    float *weights = run->network->weights[l - 1];
    float limit = rules->limits[l - 1];
    layer_run_t *layer = &run->layers[l];
    layer_run_t *below = &run->layers[l - 1];
    int32_t neurons = run->network->sizes[l];
    const int32_t *until = layer->time;
    int32_t masked_for = -1;
    if (rules->window > 0.0f && l < run->network->layer_count) {
        narrow(run, l, rules->window);
        until = layer->until;
    }
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
            float weight = row[j] - rules->rate * run->masked[j];
            weight = weight < limit ? weight : limit;
            row[j] = weight > -limit ? weight : -limit;
        }
        for (int32_t j = 0; l > 1 && j < neurons; j++) { /* apart: a sum in order is slow, and pixels need none */
            sum += row[j] * run->masked[j];
        }
        below->error[i] = sum;
    }
}

int64_t host_s4nn_learn(const host_s4nn_t *network, const host_s4nn_rules_t *rules, const host_images_t *images,
                        const host_dropout_t *dropout, int64_t *fired)
{
    run_t run;
    int64_t right = 0;
    int64_t hidden = 0;
    for (int32_t l = 1; l < network->layer_count; l++) {
        hidden += network->sizes[l];
    }
    if (run_open(&run, network) != 0) {
        return -1;
    }
    for (int64_t n = 0; n < images->count; n++) {
        int32_t label = images->labels[n];
        run.silent = host_silent(dropout, n, hidden);
        run.kept = dropout->kept;
        int32_t first = run_image(&run, images->images + n * network->sizes[0]);
        int32_t awaited = run.layers[network->layer_count].time[label];
        int32_t last = first + rules->gamma - 1 > awaited ? first + rules->gamma - 1 : awaited;
        right += output_error(&run, first, label, rules);
        count_fired(&run, fired);
        for (int32_t l = 1; rules->window > 0.0f && l < network->layer_count; l++) {
            find_peaks(&run, l, last);
        }
        for (int32_t l = network->layer_count; l > 0; l--) {
            learn_layer(&run, l, rules);
        }
    }
    free(run.memory);
    return right;
}
