/*
 * bs4nn_small.c - the small kernel, in place of the fast one: the same answers in half of the code, with
 * a seventh more instructions. It is also the shorter way to read how the kernels work.
 *
 * Event-driven: pixels are sorted by intensity, and only steps at which something can happen are visited.
 *
 * Bit-sliced: the counters of 32 neurons live side by side in "bit planes": bit j of plane p is bit p of neuron
 * j's counter, so one word operation works on 32 neurons. A counter c tells how many synapses of +1 have met a
 * spike; after n spikes the potential is V = c - (n - c) = 2c - n. A neuron with a threshold below the layer's highest
 * starts with a lead of half the distance, and its bit in the word `odd` is set if the distance is odd. So with
 * D = 2 (c + lead) + odd
 *
 *     V >= threshold   is   D >= n + highest threshold, the goal.
 *
 * Lazy: a spike adds 2 to D and 1 to the goal at the most. So nobody in a word fires for the next goal - D spikes, with
 * D the highest of those that have not fired; nor for two more if each of the highest meets a synapse of -1 among
 * them, where those are known. The word is put into a ring of lists, one for each of the next spikes, and is not looked
 * at before; then it catches up.
 */
#include "bs4nn_small_state.h"

/* ---- Layers ---- */

static uint32_t *state_of(const run_t *run, uint32_t l)
{
    return run->workspace + run->network->layers[l].state;
}

/* A layer's counts; those of the output layer are not in the workspace. */
static uint32_t *counts_of(run_t *run, uint32_t l)
{
    return l == run->output ? run->counts : state_of(run, l);
}

/* What is the same for layer l at every step. */
static layer_t *enter_layer(run_t *run, uint32_t l)
{
    layer_t *layer = &run->entered[l == run->output];
    if (l == layer->index) {
        return layer;
    }
    const bs4nn_network_t *network = run->network;
    const bs4nn_layer_t *packed = &network->layers[l];
    uint32_t *state = state_of(run, l);
    layer->index = l;
    layer->run = run;
    layer->packed = packed;
    layer->record_bytes = (RECORD + packed->planes) * (uint32_t)sizeof(uint32_t);
    layer->columns = packed->columns;
    layer->column_bytes = packed->inputs * (uint32_t)sizeof(uint32_t);
    layer->odd = packed->start;
    layer->odd_bytes = (packed->start_planes + 1u) * (uint32_t)sizeof(uint32_t);
    layer->spikes_end = NULL;
    layer->rows = NULL;
    layer->ring = (half_t *)run->scratch;
    if (l != run->output) {
        state += COUNTS;
        layer->ring = (half_t *)state;
        state += RING_WORDS;
        layer->spikes = (half_t *)state;
        if (l != 0u) {
            state += spikes_words(packed->inputs);
        } else {
            layer->spikes = run->input.spikes;
            layer->spikes_end = run->input.spikes + run->input.known;
        }
        if (l + 1u == run->output && halfwords_of(&network->layers[l + 1u]) == 1u && run->trace == NULL) {
            layer->rows = network->rows;
        }
    }
    if (layer->odd != NULL) {
        layer->odd += packed->start_planes;
        layer->spikes_end = NULL; /* others may lack only one spike more */
    }
    layer->records = state;
    return layer;
}

/* Set up a layer for a new image. */
static void reset_layer(run_t *run, uint32_t l)
{
    layer_t *layer = enter_layer(run, l);
    const bs4nn_layer_t *packed = layer->packed;
    uint32_t *plane = layer->records;
    const uint32_t *start = packed->start;
    uint32_t due = 2u * packed->spread + (start != NULL); /* spikes less than the threshold that could be enough */
    uint32_t w = 0;
    do {
        *plane++ = UINT32_MAX;
        *plane++ = ++w;
        if (start != NULL) { /* the leads come before the odd distances */
            for (uint32_t p = 0; p < packed->start_planes; p++) {
                plane[p] = *start++;
            }
            start++;
        }
        plane += packed->planes;
    } while (w != packed->words);
    plane -= RECORD + packed->planes;
    plane[ALIVE] >>= (0u - packed->neurons) % WORD_BITS; /* the last word may have fewer neurons */
    plane[NEXT] = NO_WORD;
    if (l == run->output) {
        run->planes = layer->records + RECORD;
    }
    uint32_t *ring = (uint32_t *)(void *)layer->ring;
    for (w = 0; w < RING_WORDS; w++) {
        ring[w] = UINT32_MAX;
        KEEP_LOOP();
    }
    due = packed->threshold > due ? packed->threshold - due : 1u;
    layer->ring[due % RING] = 0;
    counts_of(run, l)[DUE] = due;
}

/* ---- Encoding: pixels to spikes ---- */

/*
 * Clear the workspace up to the spikes and sort the pixels that are not black, the brightest first. Of every intensity
 * `places` tells in the end how many pixels have it or are brighter. Returns how many pixels are not black.
 */
#if BS4NN_ASSEMBLY
C_NAME uint32_t bs4nn_small_sort_pixels(half_t *places, half_t *spikes, const uint8_t *pixels, uint32_t inputs);
#define sort_pixels bs4nn_small_sort_pixels
#else
static uint32_t sort_pixels(half_t *places, half_t *spikes, const uint8_t *pixels, uint32_t inputs)
{
    uint32_t place = 0;
    uint32_t i;
    for (half_t *clear = places; clear != spikes; clear++) {
        *clear = 0;
        KEEP_LOOP();
    }
    for (i = 0; i < inputs; i++) {
        places[pixels[i]]++;
    }
    for (i = UINT8_MAX; i != 0u; i--) {
        uint32_t count = places[i];
        places[i] = (uint16_t)place;
        place += count;
    }
    places[0] = (uint16_t)place;
    for (i = 0; i < inputs; i++) {
        if (pixels[i] != 0u) {
            spikes[places[pixels[i]]++] = (uint16_t)i;
        }
    }
    return place;
}
#endif

/* ---- Spikes ---- */

/* Add 0 or 1 in every lane to counters. */
static void add(uint32_t *plane, uint32_t carry)
{
    while (carry != 0u) {
        uint32_t sum = *plane ^ carry;
        *plane++ = sum;
        carry &= ~sum;
    }
}

/* The spike of input `i` arrives at the output layer. */
static void arrive_output(run_t *run, uint32_t i)
{
    const layer_t *layer = &run->entered[1];
    uint32_t *planes = run->planes;
    uint32_t halfwords = halfwords_of(layer->packed);
    const uint16_t *row = run->network->rows + i * halfwords;
    run->counts[SENT]++;
    for (i = 0; i < halfwords; i++) {
        add(planes, (uint32_t)*row++ << (i % 2u * 16u));
        planes += i % 2u * layer->record_bytes / 4u;
    }
}

/* The number that neuron j has in so many planes of its word. */
static uint32_t number_in(const uint32_t *planes, uint32_t count, uint32_t j)
{
    uint32_t number = 0;
    while (count-- != 0u) {
        number = 2u * number + (planes[count] >> (j % WORD_BITS) & 1u);
    }
    return number;
}

/* Potential of output neuron j. */
static int32_t output_potential(const run_t *run, uint32_t j)
{
    const layer_t *layer = &run->entered[1];
    const bs4nn_layer_t *packed = layer->packed;
    uint32_t w = j / WORD_BITS;
    uint32_t counter = number_in(run->planes + w * layer->record_bytes / 4u, packed->planes, j);
    if (packed->start != NULL) {
        counter -= number_in(packed->start + w * layer->odd_bytes / 4u, packed->start_planes, j);
    }
    return (int32_t)(2u * counter - run->counts[SENT]);
}

/* Neurons of word w fire, `lanes`. */
#if BS4NN_ASSEMBLY
C_NAME void bs4nn_small_fire(const layer_t *layer, uint32_t w, uint32_t lanes);
#define fire bs4nn_small_fire
ONE_OF_MANY
#else
static
#endif
void fire(const layer_t *layer, uint32_t w, uint32_t lanes)
{
    run_t *run = layer->run;
    uint32_t l = layer->index;
    uint16_t *times = NULL;
    if (run->trace != NULL) {
        times = run->trace->firing_times;
        for (uint32_t below = 0; below < l; below++) {
            times += run->network->layers[below].neurons;
        }
    }
    for (; lanes != 0u; lanes &= lanes - 1u) {
        uint32_t j = w * WORD_BITS + lowest_bit(lanes);
        if (times != NULL) {
            times[j] = (uint16_t)(run->now + run->network->delay);
        }
        if (l + 1u < run->output) {
            uint32_t *above = state_of(run, l + 1u);
            ((half_t *)(above + COUNTS + RING_WORDS))[above[SENT]++] = (uint16_t)j;
        } else if (l != run->output) {
            arrive_output(run, j);
        } else if (!run->decided) {
            int32_t potential = output_potential(run, j);
            if (potential > run->highest || (potential == run->highest && j < run->result.answer)) {
                run->highest = potential; /* among equals the lowest index wins */
                run->result.answer = (uint16_t)j;
            }
        }
    }
}

/*
 * Look at word w and at those that are linked to it: who can fires, and the word is put down for when somebody else
 * could. Returns after how many more spikes that is for the last one, or not more than 0 if nobody is left.
 */
#if BS4NN_ASSEMBLY
C_NAME int32_t bs4nn_small_look_at_list(const layer_t *layer, uint32_t w);
#define look_at_list bs4nn_small_look_at_list
#else
/* Add b and c to a, all of them 0 or 1 in every lane, and return the carry: a full adder. */
static uint32_t full_add(uint32_t *a, uint32_t b, uint32_t c)
{
    uint32_t half = *a ^ b;
    uint32_t carry = (*a & b) | (half & c);
    *a = half ^ c;
    return carry;
}

/* Add four rows of a column to the two lowest planes, and return the carry. */
static uint32_t add_four(uint32_t *planes, const uint32_t *column, const half_t *spike)
{
    uint32_t first = full_add(&planes[0], column[spike[0]], column[spike[1]]);
    uint32_t second = full_add(&planes[0], column[spike[2]], column[spike[3]]);
    return full_add(&planes[1], first, second);
}

/* Count `count` spikes in a word. */
static void catch_up(uint32_t *planes, const uint32_t *column, const half_t *spike, uint32_t count)
{
    for (; count >= 8u; count -= 8u) {
        uint32_t carry = add_four(planes, column, spike);
        add(planes + 3, full_add(&planes[2], carry, add_four(planes, column, spike + 4)));
        spike += 8;
    }
    if (count >= 4u) {
        add(planes + 2, add_four(planes, column, spike));
        spike += 4;
        count -= 4u;
    }
    if (count >= 2u) {
        add(planes + 1, full_add(&planes[0], column[spike[0]], column[spike[1]]));
        spike += 2;
        count -= 2u;
    }
    if (count != 0u) {
        add(planes, column[*spike]);
    }
}

/* Of `lanes` find those that lack least to the goal. Returns how much; not more than 0: they fire. */
static int32_t find_nearest(const layer_t *layer, uint32_t w, const uint32_t *planes, uint32_t *lanes)
{
    uint32_t gap = layer->goal;
    uint32_t p = SURE_PLANES + layer->extra_planes;
    do {
        uint32_t set = *lanes & planes[--p];
        if (set != 0u) {
            *lanes = set;
            gap -= (uint32_t)2u << p;
        }
    } while (p != 0u);
    if (layer->odd != NULL) {
        uint32_t set = *lanes & layer->odd[w * layer->odd_bytes / 4u];
        if (set != 0u) {
            *lanes = set;
            gap--;
        }
    }
    return (int32_t)gap;
}

static int32_t look_at_list(const layer_t *layer, uint32_t w)
{
    int32_t gap;
    do {
        uint32_t *record = layer->records + w * layer->record_bytes / 4u;
        uint32_t *planes = record + RECORD;
        const uint32_t *column = layer->columns;
        uint32_t next = record[NEXT] & NO_WORD;
        uint32_t seen = record[NEXT] >> 16;
        uint32_t lanes;
        if (column != NULL) {
            column += w * layer->column_bytes / 4u;
        }
        if (seen != layer->arrived) {
            catch_up(planes, column, layer->spikes + seen, layer->arrived - seen);
        }
        for (;;) {
            lanes = record[ALIVE];
            gap = find_nearest(layer, w, planes, &lanes);
            if (gap > 0 || lanes == 0u) {
                break;
            }
            record[ALIVE] &= ~lanes;
            fire(layer, w, lanes);
        }
        if (lanes == 0u) { /* nobody left: never put down again */
            gap = 0;
        } else {
            if (layer->spikes_end != NULL) { /* if all of them meet a synapse of -1 before, it is two spikes later */
                const half_t *spike = layer->spikes + layer->arrived;
                const half_t *end = layer->spikes_end - spike < gap ? layer->spikes_end : spike + gap;
                while (spike != end && lanes != 0u) {
                    lanes &= column[*spike++];
                }
                gap += lanes == 0u ? 2 : 0;
            }
            half_t *slot = &layer->ring[(layer->arrived + (uint32_t)gap) % RING];
            record[NEXT] = *slot | layer->arrived << 16;
            *slot = (uint16_t)w;
        }
        w = next;
    } while (w != NO_WORD);
    return gap;
}
#endif

/* Everything that happens at layer l at this step. */
static void run_layer(run_t *run, uint32_t l, uint32_t *counts)
{
    uint32_t n = counts[SENT];
    uint32_t k = counts[DUE];
    if (n < k || run->now + run->network->delay >= run->network->time_steps) {
        return; /* nobody can fire, or too late to arrive anywhere */
    }
    layer_t *layer = enter_layer(run, l);
    half_t *ring = layer->ring;
    layer->arrived = n;
    layer->goal = n + layer->packed->threshold;
    layer->extra_planes = 0;
    /* Nobody could fire before spike k, so twice a counter is at most the goal and what has come since. */
    for (uint32_t most = (layer->goal + n - k) >> (1u + SURE_PLANES); most != 0u; most >>= 1) {
        layer->extra_planes++;
    }
    if (l == run->output) {
        uint32_t least = UINT16_MAX;
        uint32_t *next = layer->records + NEXT;
        for (uint32_t w = 0; w < layer->packed->words; w++) {
            *next = n << 16 | NO_WORD;
            next += layer->record_bytes / 4u;
            uint32_t gap = (uint32_t)look_at_list(layer, w) - 1u;
            least = gap < least ? gap : least;
        }
        counts[DUE] = n + least + 1u;
        return;
    }
    if (n - k >= RING) {
        k = n - (RING - 1u); /* the whole ring */
    }
    for (; k <= n; k++) {
        half_t *slot = &ring[k % RING];
        uint32_t w = *slot;
        if (w != NO_WORD) {
            *slot = NO_WORD;
            look_at_list(layer, w);
        }
    }
    n += RING;
    while (k < n && ring[k % RING] == NO_WORD) {
        k++;
    }
    counts[DUE] = k < UINT16_MAX ? k : UINT16_MAX; /* where skip_intensities() ends */
}

/* ---- One image ---- */

/* The answer is found at this step, or there is no step left. */
static void decide(run_t *run)
{
    uint32_t firing_time = run->now + run->network->delay;
    uint32_t spikes = run->input.delivered; /* input and hidden spikes so far */
    if (run->decided) {
        return;
    }
    run->decided = 1;
    for (uint32_t l = 1; l <= run->output; l++) {
        spikes += counts_of(run, l)[SENT];
    }
    run->result.spikes = spikes;
    run->result.response_time = run->network->time_steps;
    if (firing_time < run->network->time_steps) {
        run->result.response_time = (uint16_t)firing_time;
    }
}

/* The potentials that decide if nobody fires. */
static void read_out(run_t *run)
{
    int32_t best = INT32_MIN;
    for (uint32_t j = 0; j < run->entered[1].packed->neurons; j++) {
        int32_t potential = output_potential(run, j);
        if (potential > best) {
            best = potential;
            if (!run->decided) {
                run->result.answer = (uint16_t)j;
            }
        }
        if (run->trace != NULL) {
            run->trace->readout_potentials[j] = potential;
        }
    }
    run->read_out = 1;
}

/* Let the pixels fire whose step it is. */
static void deliver_pixels(run_t *run)
{
    uint32_t *sent = run->first + SENT;
    deliver(&run->input, run->now);
    if (run->output != 0u) {
        *sent = run->input.delivered;
    }
    while (*sent != run->input.delivered) {
        arrive_output(run, run->input.spikes[*sent]);
    }
}

/* Go on to the next step at which something can happen. */
static void next_step(run_t *run)
{
    const uint32_t *counts = run->counts;
    for (uint32_t l = run->output; l != 0u;) {
        if (counts[SENT] >= counts[DUE]) { /* spikes of the step before arrive */
            run->now++;
            return;
        }
        counts = state_of(run, --l);
    }
    skip_intensities(&run->input, run->output != 0u ? run->first[DUE] : 1u);
    run->now = run->input.step;
}

/* The output layer at this step. Returns whether the answer is found, and nothing more asked for. */
static int run_output(run_t *run)
{
    run_layer(run, run->output, run->counts);
    if (run->highest != INT32_MIN) {
        decide(run);
    }
    return run->decided && run->trace == NULL;
}

/*
 * All steps. Without delay a spike travels up within the step, so layers go from the input side up; with a delay of
 * one step each layer takes what fired below it at the step before, so they go from the output side down.
 */
static void run_image(run_t *run)
{
    const bs4nn_network_t *network = run->network;
    for (;;) {
        next_step(run);
        if (run->now > network->readout_step && !run->read_out) {
            read_out(run);
        }
        if (run->now >= network->time_steps) {
            return;
        }
        deliver_pixels(run);
        if (network->delay == 0u) {
            for (uint32_t l = 0; l < run->output; l++) {
                run_layer(run, l, state_of(run, l));
            }
        }
        if (run_output(run)) {
            return;
        }
        if (network->delay != 0u) {
            if (run->now == network->readout_step) {
                read_out(run); /* before this step's hidden spikes, which arrive at the next one */
            }
            for (uint32_t l = run->output; l-- != 0u;) {
                run_layer(run, l, state_of(run, l));
            }
        }
    }
}

static int run_and_report(const bs4nn_t *net, const uint8_t *pixels, const bs4nn_trace_t *trace,
                          bs4nn_result_t *result)
{
    if (net == NULL || net->network == NULL || pixels == NULL) {
        return BS4NN_ERROR_ARGUMENT;
    }
    const bs4nn_network_t *network = net->network;
    run_t run; /* field by field, for an initializer would call memset */
    half_t *places = (half_t *)net->workspace;
    run.network = network;
    run.workspace = net->workspace;
    run.trace = trace;
    run.output = network->hidden_layers;
    run.now = 0;
    run.counts[SENT] = 0;
    run.input.spikes = (half_t *)(net->workspace + network->workspace_words - spikes_words(inputs_of(network)));
    run.highest = INT32_MIN;
    run.result.answer = 0;
    run.decided = 0;
    run.read_out = 0;
    run.entered[0].index = UINT32_MAX; /* no layer yet */
    run.entered[1].index = UINT32_MAX;

    run.input.known = sort_pixels(places, run.input.spikes, pixels, inputs_of(network));
    int error = begin_input(&run.input, network, places);
    if (error != 0) {
        return error;
    }
    run.first = counts_of(&run, 0);
    for (uint32_t l = 0; l <= run.output; l++) {
        reset_layer(&run, l);
    }
    if (trace != NULL) {
        for (uint32_t j = 0; j < bs4nn_neurons(network); j++) {
            trace->firing_times[j] = network->time_steps;
        }
    }
    run_image(&run);
    decide(&run);
    if (result != NULL) {
        *result = run.result;
    }
    return run.result.answer;
}

ONE_OF_MANY int bs4nn_classify(bs4nn_t *net, const uint8_t *pixels, bs4nn_result_t *result)
{
    return run_and_report(net, pixels, NULL, result);
}

ONE_OF_MANY int bs4nn_trace(bs4nn_t *net, const uint8_t *pixels, const bs4nn_trace_t *trace, bs4nn_result_t *result)
{
    if (trace == NULL || trace->firing_times == NULL || trace->readout_potentials == NULL) {
        return BS4NN_ERROR_ARGUMENT;
    }
    return run_and_report(net, pixels, trace, result);
}
