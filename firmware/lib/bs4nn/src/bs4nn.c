/*
 * bs4nn.c - the portable kernel: event-driven, bit-sliced.
 *
 * Only steps at which a spike arrives are visited. The counters of 32 neurons live side by side in
 * "bit planes": bit j of plane p is bit p of neuron j's counter, so one word operation works on 32
 * neurons at once.
 *
 * What is counted. With n spikes arrived at a layer, c of them over synapses of +1, a neuron's
 * potential is V = c - (n - c) = 2c - n, so V >= threshold is c >= (n + threshold + 1) >> 1. The planes
 * hold the difference D = c - ((n + threshold + 1) >> 1) in two's complement: a neuron reaches its threshold
 * when D is no longer negative, which is one look at the top plane. Synapses of -1 cost nothing.
 *
 * How many planes. A neuron that has not fired has D between -((inputs + threshold + 1) >> 1) and -1,
 * and one step lifts it to less than that in size, so that many planes and a sign suffice; what
 * overflows on the way within a step wraps around and comes back.
 */
#include "bs4nn.h"

#include <string.h>

/* Planes for 65,535 inputs and a threshold of 65,535. */
#define MAX_PLANES 17u

/* Spikes handed to a layer in one go when they come out of a word of fired neurons. */
#define WORD_BITS 32u

/* The workspace is declared as words; parts of it are used as half-words. */
#if defined(__GNUC__)
typedef uint16_t __attribute__((__may_alias__)) half_t;
#else
typedef uint16_t half_t;
#endif

/*
 * The workspace: the order of the pixels, the output potentials, then for every hidden layer
 * planes | alive | fired | arrived, pending. bs4nn_init checks that the generator laid it out so.
 */
typedef struct {
    uint32_t *planes;  /* words x planes, the planes of a word side by side */
    uint32_t *alive;   /* words; set bits have not fired yet */
    uint32_t *fired;   /* words; set bits crossed at the last visited step */
    uint32_t *arrived; /* spikes that have arrived so far */
    uint32_t *pending; /* number of set bits in `fired` */
} state_t;

/* One inference. */
typedef struct {
    const bs4nn_network_t *network;
    uint32_t *workspace;
    const uint8_t *pixels;
    const bs4nn_trace_t *trace; /* NULL: stop with the first output spike */
    half_t *order;              /* indices of the non-black pixels, brightest first */
    uint32_t input_spikes;      /* how many of them */
    uint32_t delivered;         /* how many have arrived at layer 1 */
    int32_t *potentials;        /* of the output neurons */
    bs4nn_result_t result;
    uint32_t spikes;            /* input and hidden spikes so far */
    int decided;                /* an output neuron has fired */
    int read_out;               /* the readout step has passed */
} run_t;

static uint32_t order_words(const bs4nn_network_t *network)
{
    return (bs4nn_inputs(network) + 1u) / 2u;
}

static uint32_t state_words(const bs4nn_hidden_t *layer)
{
    return layer->words * (layer->planes + 2u) + 2u;
}

static state_t state_of(const run_t *run, const bs4nn_hidden_t *layer)
{
    state_t state;
    state.planes = run->workspace + layer->state;
    state.alive = state.planes + (uint32_t)layer->words * layer->planes;
    state.fired = state.alive + layer->words;
    state.arrived = state.fired + layer->words;
    state.pending = state.arrived + 1;
    return state;
}

uint16_t bs4nn_inputs(const bs4nn_network_t *network)
{
    return network->hidden_layers != 0u ? network->hidden[0].inputs : network->output.inputs;
}

uint32_t bs4nn_neurons(const bs4nn_network_t *network)
{
    uint32_t neurons = network->output.neurons;
    for (uint32_t l = 0; l < network->hidden_layers; l++) {
        neurons += network->hidden[l].neurons;
    }
    return neurons;
}

/* ---- Checking a network and its workspace ---- */

static int hidden_is_sound(const bs4nn_hidden_t *layer, uint32_t inputs, uint32_t state)
{
    uint32_t largest = (inputs + layer->threshold + 1u) >> 1;
    return layer->inputs == inputs && inputs != 0u && layer->neurons != 0u && layer->rows != NULL
        && layer->words == (layer->neurons + WORD_BITS - 1u) / WORD_BITS
        && layer->planes >= 2u && layer->planes <= MAX_PLANES
        && largest <= (uint32_t)1u << (layer->planes - 1u)
        && (layer->threshold != 0u) == (layer->start == NULL)
        && layer->state == state;
}

int bs4nn_init(bs4nn_t *net, const bs4nn_network_t *network, uint32_t *workspace, size_t workspace_bytes)
{
    if (net == NULL || network == NULL || workspace == NULL) {
        return BS4NN_ERROR_ARGUMENT;
    }
    const bs4nn_output_t *output = &network->output;
    if (network->time_steps == 0u || network->readout_step >= network->time_steps || network->delay > 1u
        || network->intensity_max == 0u || (network->hidden_layers != 0u && network->hidden == NULL)
        || output->rows == NULL || output->neurons == 0u || output->inputs == 0u
        || output->halfwords != (output->neurons + 15u) / 16u
        || (output->threshold != 0u) != (output->thresholds == NULL)) {
        return BS4NN_ERROR_NETWORK;
    }
    uint32_t inputs = bs4nn_inputs(network);
    uint32_t words = order_words(network) + output->neurons;
    for (uint32_t l = 0; l < network->hidden_layers; l++) {
        const bs4nn_hidden_t *layer = &network->hidden[l];
        if (!hidden_is_sound(layer, inputs, words)) {
            return BS4NN_ERROR_NETWORK;
        }
        inputs = layer->neurons;
        words += state_words(layer);
    }
    if (output->inputs != inputs || network->workspace_words != words) {
        return BS4NN_ERROR_NETWORK;
    }
    if (workspace_bytes / sizeof(uint32_t) < words || ((uintptr_t)workspace & 3u) != 0u) {
        return BS4NN_ERROR_WORKSPACE;
    }
    net->network = network;
    net->workspace = workspace;
    return 0;
}

/* ---- Encoding: pixels to spikes ---- */

static uint32_t step_of(const bs4nn_network_t *network, uint32_t intensity)
{
    return (network->intensity_max - intensity) * network->time_steps / network->intensity_max;
}

/*
 * Counting sort of the pixels that fire, brightest first. A pixel of intensity 0 fires at step T,
 * which is never. Returns 0 or a negative error.
 */
static int sort_pixels(run_t *run)
{
    const uint8_t *pixels = run->pixels;
    uint32_t intensity_max = run->network->intensity_max;
    uint32_t inputs = bs4nn_inputs(run->network);
    uint16_t next[256]; /* first how many pixels, then where the next one of this intensity goes */

    memset(next, 0, sizeof next);
    for (uint32_t i = 0; i < inputs; i++) {
        if (pixels[i] > intensity_max) {
            return BS4NN_ERROR_PIXEL;
        }
        next[pixels[i]]++;
    }
    uint32_t position = 0;
    for (uint32_t intensity = intensity_max; intensity > 0u; intensity--) {
        uint32_t count = next[intensity];
        next[intensity] = (uint16_t)position;
        position += count;
    }
    run->input_spikes = position;
    for (uint32_t i = 0; i < inputs; i++) {
        if (pixels[i] != 0u) {
            run->order[next[pixels[i]]++] = (uint16_t)i;
        }
    }
    return 0;
}

/* ---- Hidden layers ---- */

/* Plane p of minus ((threshold + 1) >> 1), the same in all 32 lanes. */
static uint32_t start_plane(uint32_t threshold, uint32_t p)
{
    uint32_t value = 0u - ((threshold + 1u) >> 1);
    return 0u - ((value >> p) & 1u);
}

static void reset_hidden(const run_t *run, const bs4nn_hidden_t *layer)
{
    state_t state = state_of(run, layer);
    for (uint32_t w = 0; w < layer->words; w++) {
        for (uint32_t p = 0; p < layer->planes; p++) {
            state.planes[w * layer->planes + p] =
                layer->start != NULL ? layer->start[w * (layer->planes + 1u) + p] : start_plane(layer->threshold, p);
        }
        state.alive[w] = UINT32_MAX;
        state.fired[w] = 0;
    }
    uint32_t last = layer->neurons % WORD_BITS;
    if (last != 0u) {
        state.alive[layer->words - 1u] = ((uint32_t)1u << last) - 1u;
    }
    *state.arrived = 0;
    *state.pending = 0;
}

/* Add a number of 0 or 1 in every lane, at plane p and up. */
static void ripple(uint32_t *planes, uint32_t count, uint32_t p, uint32_t carry)
{
    for (; carry != 0u && p < count; p++) {
        uint32_t sum = planes[p] ^ carry;
        carry &= planes[p];
        planes[p] = sum;
    }
}

/* Subtract in every lane one of two numbers: `odd` where `is_odd` is set, else `even`. */
static void subtract(uint32_t *planes, uint32_t count, uint32_t is_odd, uint32_t odd, uint32_t even)
{
    uint32_t borrow = 0;
    for (uint32_t p = 0; p < count; p++) {
        uint32_t bit = ((0u - ((odd >> p) & 1u)) & is_odd) | ((0u - ((even >> p) & 1u)) & ~is_odd);
        uint32_t difference = planes[p] ^ bit ^ borrow;
        borrow = (~planes[p] & (bit | borrow)) | (bit & borrow);
        planes[p] = difference;
    }
}

/* Let `count` spikes arrive at a layer: D gains the +1 synapses and loses what the threshold moves. */
static void arrive(const run_t *run, const bs4nn_hidden_t *layer, const half_t *inputs, uint32_t count)
{
    state_t state = state_of(run, layer);
    uint32_t before = *state.arrived;
    uint32_t after = before + count;
    /* (n + threshold + 1) >> 1 moves at every other spike; which one depends on the threshold's parity. */
    uint32_t move_odd = (after >> 1) - (before >> 1);
    uint32_t move_even = ((after + 1u) >> 1) - ((before + 1u) >> 1);
    *state.arrived = after;

    for (uint32_t w = 0; w < layer->words; w++) {
        if (state.alive[w] == 0u) {
            continue;
        }
        uint32_t *planes = state.planes + w * layer->planes;
        const uint32_t *column = layer->rows + w;
        uint32_t i = 0;
        for (; i + 3u <= count; i += 3u) { /* a full adder folds three spikes into a sum and a carry */
            uint32_t a = column[(uint32_t)inputs[i] * layer->words];
            uint32_t b = column[(uint32_t)inputs[i + 1u] * layer->words];
            uint32_t c = column[(uint32_t)inputs[i + 2u] * layer->words];
            ripple(planes, layer->planes, 0, a ^ b ^ c);
            ripple(planes, layer->planes, 1, (a & b) | (c & (a ^ b)));
        }
        for (; i < count; i++) {
            ripple(planes, layer->planes, 0, column[(uint32_t)inputs[i] * layer->words]);
        }
        uint32_t is_odd = 0u - (layer->threshold & 1u);
        if (layer->start != NULL) {
            is_odd = layer->start[w * (layer->planes + 1u) + layer->planes];
        }
        subtract(planes, layer->planes, is_odd, move_odd, move_even);
    }
}

/* Let all neurons fire whose potential has reached the threshold at this step. */
static void fire(run_t *run, uint32_t l, uint32_t step, uint32_t arrivals)
{
    const bs4nn_hidden_t *layer = &run->network->hidden[l];
    state_t state = state_of(run, layer);
    uint32_t firing_time = step + run->network->delay;
    uint32_t pending = 0;
    uint16_t *times = NULL;

    if (arrivals == 0u && *state.pending == 0u) {
        return; /* nothing has changed and nothing has to be cleared */
    }
    if (run->trace != NULL && firing_time < run->network->time_steps) {
        times = run->trace->firing_times;
        for (uint32_t k = 0; k < l; k++) {
            times += run->network->hidden[k].neurons;
        }
    }
    for (uint32_t w = 0; w < layer->words; w++) {
        uint32_t negative = state.planes[(w + 1u) * layer->planes - 1u];
        uint32_t fired = arrivals != 0u ? state.alive[w] & ~negative : 0u;
        state.fired[w] = fired;
        state.alive[w] &= ~fired;
        for (uint32_t j = w * WORD_BITS; fired != 0u; fired >>= 1, j++) {
            if ((fired & 1u) != 0u) {
                pending++;
                if (times != NULL) {
                    times[j] = (uint16_t)firing_time;
                }
            }
        }
    }
    *state.pending = pending;
    if (firing_time < run->network->time_steps) {
        run->spikes += pending;
    }
}

/* ---- The output layer ---- */

static void arrive_output(const run_t *run, const half_t *inputs, uint32_t count)
{
    const bs4nn_output_t *output = &run->network->output;
    for (uint32_t i = 0; i < count; i++) {
        const uint16_t *row = output->rows + (uint32_t)inputs[i] * output->halfwords;
        for (uint32_t j = 0; j < output->neurons; j++) {
            int positive = (row[j >> 4] >> (j & 15u)) & 1;
            run->potentials[j] += positive * 2 - 1;
        }
    }
}

/* The output neurons that reach their threshold at this step; the first ones decide. */
static void fire_output(run_t *run, uint32_t step)
{
    const bs4nn_network_t *network = run->network;
    const bs4nn_output_t *output = &network->output;
    uint32_t firing_time = step + network->delay;
    uint16_t *times = NULL;
    int decides = !run->decided;
    int32_t highest = INT32_MIN;

    if (firing_time >= network->time_steps) {
        return;
    }
    if (run->trace != NULL) {
        times = run->trace->firing_times + (bs4nn_neurons(network) - output->neurons);
    }
    for (uint32_t j = 0; j < output->neurons; j++) {
        int32_t threshold = output->thresholds != NULL ? output->thresholds[j] : output->threshold;
        int32_t potential = run->potentials[j];
        if (potential < threshold) {
            continue;
        }
        if (times != NULL && times[j] == network->time_steps) {
            times[j] = (uint16_t)firing_time;
        }
        if (decides && potential > highest) { /* strictly: among equals the lowest index wins */
            highest = potential;
            run->result.answer = (uint16_t)j;
            run->result.response_time = (uint16_t)firing_time;
            run->decided = 1;
        }
    }
    if (decides) {
        run->result.spikes = run->spikes;
    }
}

/* The potentials that decide if nobody fires. */
static void read_out(run_t *run)
{
    uint32_t best = 0;
    for (uint32_t j = 0; j < run->network->output.neurons; j++) {
        if (run->potentials[j] > run->potentials[best]) {
            best = j;
        }
        if (run->trace != NULL) {
            run->trace->readout_potentials[j] = run->potentials[j];
        }
    }
    if (!run->decided) {
        run->result.answer = (uint16_t)best;
    }
    run->read_out = 1;
}

/* ---- One step ---- */

/* Hand the spikes of one source to layer `l` (the output layer is the last), some at a time. */
static void deliver(const run_t *run, uint32_t l, const half_t *inputs, uint32_t count)
{
    if (l < run->network->hidden_layers) {
        arrive(run, &run->network->hidden[l], inputs, count);
    } else {
        arrive_output(run, inputs, count);
    }
}

/* Hand layer `l` what fired below it. Returns the number of spikes. */
static uint32_t deliver_fired(const run_t *run, uint32_t l)
{
    const bs4nn_hidden_t *below = &run->network->hidden[l - 1u];
    state_t state = state_of(run, below);
    if (*state.pending == 0u) {
        return 0;
    }
    for (uint32_t w = 0; w < below->words; w++) {
        uint16_t neurons[WORD_BITS];
        uint32_t count = 0;
        uint32_t fired = state.fired[w];
        for (uint32_t j = w * WORD_BITS; fired != 0u; fired >>= 1, j++) {
            if ((fired & 1u) != 0u) {
                neurons[count++] = (uint16_t)j;
            }
        }
        if (count != 0u) {
            deliver(run, l, neurons, count);
        }
    }
    return *state.pending;
}

/* Everything that happens at layer `l` (1 + hidden_layers of them) at one step. */
static void run_layer(run_t *run, uint32_t l, uint32_t step, uint32_t input_spikes)
{
    uint32_t arrivals = input_spikes;
    if (l != 0u) {
        arrivals = deliver_fired(run, l);
    } else if (arrivals != 0u) {
        deliver(run, 0, run->order + run->delivered, arrivals);
    }
    if (l < run->network->hidden_layers) {
        fire(run, l, step, arrivals);
    } else if (arrivals != 0u) {
        fire_output(run, step);
    }
}

/* One step, all layers. Without delay a spike travels up within the step, so layers go from the
 * input side up; with a delay of one step each layer takes what fired below it at the step before,
 * so they go from the output side down. */
static void run_step(run_t *run, uint32_t step, uint32_t input_spikes)
{
    uint32_t layers = run->network->hidden_layers + 1u;
    run->spikes += input_spikes;
    for (uint32_t k = 0; k < layers; k++) {
        run_layer(run, run->network->delay == 0u ? k : layers - 1u - k, step, input_spikes);
        if (run->decided && run->trace == NULL) {
            return;
        }
    }
    run->delivered += input_spikes;
}

/* ---- One image ---- */

/* Step of the next input spike (T if there is none), and how many spikes share it. */
static uint32_t next_input(const run_t *run, uint32_t *count)
{
    uint32_t position = run->delivered;
    uint32_t step = run->network->time_steps;
    uint32_t intensity = 0;
    for (; position < run->input_spikes; position++) {
        uint32_t pixel = run->pixels[run->order[position]];
        if (pixel != intensity) {
            uint32_t pixel_step = step_of(run->network, pixel);
            if (intensity != 0u && pixel_step != step) {
                break;
            }
            intensity = pixel;
            step = pixel_step;
        }
    }
    *count = position - run->delivered;
    return step;
}

/* A hidden spike of the step before is still on its way (only with a delay of one step). */
static int spikes_on_their_way(const run_t *run)
{
    if (run->network->delay != 0u) {
        for (uint32_t l = 0; l < run->network->hidden_layers; l++) {
            if (*state_of(run, &run->network->hidden[l]).pending != 0u) {
                return 1;
            }
        }
    }
    return 0;
}

static void run_image(run_t *run)
{
    const bs4nn_network_t *network = run->network;
    uint32_t step = 0; /* the earliest step that has not been visited */
    for (;;) {
        uint32_t count;
        uint32_t input_step = next_input(run, &count);
        if (!spikes_on_their_way(run)) {
            step = input_step;
        }
        if (!run->read_out && step > network->readout_step) {
            read_out(run);
        }
        if (step >= network->time_steps) {
            return;
        }
        run_step(run, step, step == input_step ? count : 0u);
        if (run->decided && run->trace == NULL) {
            return;
        }
        step++;
    }
}

static int run_and_report(bs4nn_t *net, const uint8_t *pixels, const bs4nn_trace_t *trace, bs4nn_result_t *result)
{
    if (net == NULL || net->network == NULL || pixels == NULL) {
        return BS4NN_ERROR_ARGUMENT;
    }
    const bs4nn_network_t *network = net->network;
    run_t run;
    memset(&run, 0, sizeof run);
    run.network = network;
    run.workspace = net->workspace;
    run.pixels = pixels;
    run.trace = trace;
    run.order = (half_t *)net->workspace;
    run.potentials = (int32_t *)(net->workspace + order_words(network));
    run.result.response_time = network->time_steps;

    int error = sort_pixels(&run);
    if (error != 0) {
        return error;
    }
    for (uint32_t l = 0; l < network->hidden_layers; l++) {
        reset_hidden(&run, &network->hidden[l]);
    }
    memset(run.potentials, 0, network->output.neurons * sizeof *run.potentials);
    if (trace != NULL) {
        for (uint32_t j = 0; j < bs4nn_neurons(network); j++) {
            trace->firing_times[j] = network->time_steps;
        }
    }
    run_image(&run);
    if (!run.decided) {
        run.result.spikes = run.spikes;
    }
    if (result != NULL) {
        *result = run.result;
    }
    return run.result.answer;
}

int bs4nn_classify(bs4nn_t *net, const uint8_t *pixels, bs4nn_result_t *result)
{
    return run_and_report(net, pixels, NULL, result);
}

int bs4nn_trace(bs4nn_t *net, const uint8_t *pixels, const bs4nn_trace_t *trace, bs4nn_result_t *result)
{
    if (trace == NULL || trace->firing_times == NULL || trace->readout_potentials == NULL) {
        return BS4NN_ERROR_ARGUMENT;
    }
    return run_and_report(net, pixels, trace, result);
}
