/*
 * host_paper.c - the recipe "paper": temporal backpropagation by equations 5 to 16 of arXiv 2007.04039,
 * one image at a time.
 *
 * The error of a neuron is (target - firing time) / T; a neuron that is to fire earlier has a negative
 * error and gains weight from every input that fired before it. Errors go down through the
 * real-valued proxy weights and are normalised to length 1 in every layer. What deviates from that is named in
 * host_paper_t.
 */
#include "host_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    float *error;   /* of the layer at hand */
    float *below;   /* of the layer below it */
    float *masked;  /* errors of the neurons that an input fired before */
    int32_t *until; /* the step from which on inputs do not count for a neuron, where that is not its firing time */
    float *lift;    /* d(potential) / d(alpha) of the neurons, weighted by their errors */
    float rate;     /* of the proxies, see host_paper_learn */
    float *memory;
} scratch_t;

/* Memory for layers of so many neurons and inputs at the most. Returns 0, or -1 without memory. */
static int open_scratch(scratch_t *scratch, size_t widest)
{
    float *memory = malloc(4 * widest * sizeof *memory);
    scratch->memory = memory;
    scratch->until = malloc(widest * sizeof *scratch->until);
    if (memory == NULL || scratch->until == NULL) {
        return -1;
    }
    scratch->error = memory;
    scratch->below = memory + widest;
    scratch->masked = memory + 2 * widest;
    scratch->lift = memory + 3 * widest;
    return 0;
}

static void close_scratch(scratch_t *scratch)
{
    free(scratch->memory);
    free(scratch->until);
}

void host_balance(float *error, int32_t outputs, int32_t label)
{
    float late = -error[label];
    float early = 0.0f;
    int32_t count = 0;
    for (int32_t o = 0; o < outputs; o++) {
        if (o != label && error[o] != 0.0f) {
            early += error[o];
            count++;
        }
    }
    if (early >= late) {
        error[label] = -early;
        return;
    }
    for (int32_t o = 0; o < outputs && count > 0; o++) {
        if (o != label && error[o] != 0.0f) {
            error[o] = late / (float)count;
        }
    }
}

/*
 * Errors of the output neurons. They need the firing times of those that fire less than gamma steps after the first,
 * and of the right one: no error, and so no weight, depends on what comes later. Returns 1 if the label is among the
 * first to fire.
 */
static int output_error(const run_t *run, const host_paper_t *options, int32_t label, float *error)
{
    int32_t last = run->network->layer_count - 1;
    int32_t outputs = run->network->layers[last].neurons;
    int32_t steps = run->network->time_steps;
    const int32_t *time = run->layers[last].time;
    int32_t first = run->response_time;
    for (int32_t o = 0; o < outputs; o++) {
        int32_t target = time[o];
        if (first == steps) {
            /* Equation 8: nobody fired; the right neuron is to be the first. The authors' program leaves it. */
            target = o == label && options->silent_target ? steps - options->gamma : steps;
        } else if (o == label) {
            target = options->early_target ? first - options->gamma : first;
        } else if (time[o] - first < options->gamma) {
            target = first + options->gamma < steps ? first + options->gamma : steps;
        }
        error[o] = (float)(target - time[o]) / (float)steps;
    }
    if (options->balanced && first < steps) {
        host_balance(error, outputs, label);
    }
    return first < steps ? time[label] == first : run->answer == label;
}

int host_normalise(float *error, int32_t count)
{
    double sum = 0;
    for (int32_t j = 0; j < count; j++) {
        sum += (double)error[j] * (double)error[j];
    }
    if (!(sum > 0)) {
        return 0;
    }
    float scale = (float)(1.0 / sqrt(sum));
    for (int32_t j = 0; j < count; j++) {
        error[j] *= scale;
    }
    return 1;
}

/*
 * Errors of hidden neurons count by how near to their thresholds they have come, and for the inputs that have brought
 * them there: the surrogate of "best". `until` takes the places of their firing times.
 */
static void narrow(const run_t *run, int32_t l, float window, float *error, int32_t *until)
{
    for (int32_t j = 0; j < run->network->layers[l].neurons; j++) {
        error[j] *= host_surrogate(run->layers[l].peak[j], run_threshold(run, l, j), window);
        until[j] = run->layers[l].peak_step[j] + 1;
    }
}

/* The firing time from which on an input meets no error that counts. */
static int32_t end_of_errors(const float *error, const int32_t *times, int32_t neurons)
{
    int32_t end = 0;
    for (int32_t j = 0; j < neurons; j++) {
        int32_t time = error[j] != 0.0f ? times[j] : 0;
        end = time > end ? time : end;
    }
    return end;
}

/* Errors that count for an input of firing time `time`. */
static void mask_errors(const float *error, const int32_t *times, int32_t neurons, int32_t time, float *masked)
{
    for (int32_t j = 0; j < neurons; j++) {
        masked[j] = time < times[j] ? error[j] : 0.0f;
    }
}

/* Move one row of proxies against the errors; returns the sign flips. */
static int64_t learn_row(float *restrict proxies, int8_t *restrict signs, const float *restrict masked,
                         float *restrict lift, int32_t neurons, float rate)
{
    int32_t flips = 0;
    for (int32_t j = 0; j < neurons; j++) {
        float proxy = proxies[j] - rate * masked[j];
        int8_t sign = (int8_t)(2 * (proxy >= 0.0f) - 1); /* no branch: rows of 10 are not made vectors of */
        flips += sign != signs[j];
        lift[j] += masked[j] * (float)sign;
        proxies[j] = proxy;
        signs[j] = sign;
    }
    return flips;
}

/* Move the proxies and the alpha of layer l against its errors, and leave the errors of the layer below. */
static void learn_layer(const run_t *run, int32_t l, const host_paper_t *options, host_paper_weights_t *weights,
                        scratch_t *scratch)
{
    float *proxies = weights->proxies[l];
    int8_t *signs = weights->signs[l];
    const float rate = scratch->rate;
    const host_layer_t *layer = &run->network->layers[l];
    const int32_t *above = run->wants_peaks && l + 1 < run->network->layer_count ? scratch->until : run->layers[l].time;
    const int32_t *times = l == 0 ? run->input_time : run->layers[l - 1].time;
    int32_t never = run->network->time_steps;
    int32_t end = end_of_errors(scratch->error, above, layer->neurons);
    int32_t masked_for = -1;
    int64_t flips = 0;

    memset(scratch->lift, 0, (size_t)layer->neurons * sizeof *scratch->lift);
    for (int32_t i = 0; i < layer->inputs; i++) {
        int32_t time = times[i] == never && l == 0 && options->black_fires ? never - 1 : times[i];
        float *row = proxies + (int64_t)i * layer->neurons;
        int counts = time < end; /* never, if it never fires */
        if (counts && time != masked_for) {
            mask_errors(scratch->error, above, layer->neurons, time, scratch->masked);
            masked_for = time;
        }
        if (counts) {
            flips += learn_row(row, signs + (int64_t)i * layer->neurons, scratch->masked, scratch->lift,
                               layer->neurons, rate);
        }
        if (l > 0) {
            float sum = 0.0f;
            for (int32_t j = 0; counts && j < layer->neurons; j++) {
                sum += row[j] * scratch->masked[j];
            }
            scratch->below[i] = sum;
        }
    }
    double lift = 0;
    for (int32_t j = 0; j < layer->neurons; j++) {
        lift += scratch->lift[j];
    }
    weights->alphas[l] -= (double)options->alpha_rate * lift / ((double)layer->inputs * (double)layer->neurons);
    weights->flips += flips;
}

static void set_thresholds(const host_layer_t *layer, const host_paper_t *options, double alpha, int32_t *thresholds)
{
    double level = (double)options->threshold / alpha;
    int32_t threshold = (int32_t)(options->strict ? floor(level) + 1.0 : ceil(level));
    for (int32_t j = 0; j < layer->neurons; j++) {
        thresholds[j] = threshold;
    }
}

static void multiply_proxies(const host_network_t *network, float *const *proxies, double factor)
{
    for (int32_t l = 0; l < network->layer_count && factor < 1.0; l++) {
        for (int64_t i = 0; i < (int64_t)network->layers[l].inputs * network->layers[l].neurons; i++) {
            proxies[l][i] *= (float)factor;
        }
    }
}

/* Learn from the errors of the output neurons, layer by layer. */
static void go_down(run_t *run, const host_paper_t *options, host_paper_weights_t *weights, scratch_t *scratch)
{
    const host_network_t *network = run->network;
    const int32_t last = network->layer_count - 1;
    for (int32_t l = last; l >= 0; l--) {
        if (l < last && run->wants_peaks) {
            narrow(run, l, options->window, scratch->error, scratch->until);
        }
        if (!host_normalise(scratch->error, network->layers[l].neurons)) {
            break;
        }
        learn_layer(run, l, options, weights, scratch);
        float *swapped = scratch->error;
        scratch->error = scratch->below;
        scratch->below = swapped;
        if (!(weights->alphas[l] > 0.0)) { /* the threshold theta / alpha would be gone: let the caller say so */
            break;
        }
        set_thresholds(&network->layers[l], options, weights->alphas[l], weights->thresholds[l]);
    }
}

int64_t host_paper_learn(const host_network_t *network, host_paper_weights_t *weights, const host_paper_t *options,
                         const host_images_t *images, const host_dropout_t *dropout)
{
    run_t run;
    scratch_t scratch;
    size_t widest = (size_t)network->layers[0].inputs;
    int32_t last = network->layer_count - 1;
    int64_t right = 0;
    int64_t hidden = 0;
    for (int32_t l = 0; l <= last; l++) {
        size_t neurons = (size_t)network->layers[l].neurons;
        widest = neurons > widest ? neurons : widest;
        hidden += l < last ? network->layers[l].neurons : 0;
    }
    if (open_scratch(&scratch, widest) != 0 || run_open(&run, network) != 0) {
        close_scratch(&scratch);
        return -1;
    }
    run.wants_peaks = options->window > 0.0f;
    run.kept = dropout->kept;
    /*
     * All proxies decay by the same factor with every image. That is kept apart, and put into them now and then:
     * their signs do not see it, nor do errors, which are normalised; only a step has to be the larger for it.
     */
    double decayed = 1.0;
    for (int64_t n = 0; n < images->count; n++) {
        const int32_t label = images->labels[n];
        decayed *= 1.0 - (double)options->rate * (double)options->decay;
        scratch.rate = (float)((double)options->rate / decayed);
        run.silent = host_silent(dropout, n, hidden);
        run_image(&run, images->images + n * network->layers[0].inputs, options->gamma - 1, label);
        right += output_error(&run, options, label, scratch.error);
        go_down(&run, options, weights, &scratch);
        if (decayed < 0.5) {
            multiply_proxies(network, weights->proxies, decayed);
            decayed = 1.0;
        }
    }
    multiply_proxies(network, weights->proxies, decayed);
    run_close(&run);
    close_scratch(&scratch);
    return right;
}
