/*
 * bs4nn_small.c - the small kernel, in place of bs4nn.c and bs4nn_cortex_m.S: the same answers in two fifths of the
 * code, with two to three times the instructions. It is also the shorter way to read how the kernels work.
 *
 * Event-driven: pixels are sorted by intensity, and only steps at which a spike arrives are visited.
 *
 * Bit-sliced: the counters of 32 neurons live side by side in "bit planes": bit j of plane p is bit p of neuron
 * j's counter, so one word operation works on 32 neurons. A counter c tells how many synapses of +1 have met a
 * spike; after n spikes the potential is V = c - (n - c) = 2c - n. A neuron with a threshold below the layer's highest
 * starts with a lead of half the distance, and its bit in the word `odd` is set if the distance is odd. So with
 * D = 2 (c + lead) + odd
 *
 *     V >= threshold   is   D >= n + highest threshold.
 *
 * Lazy: a spike adds 2 to D at the most. So nobody in a word fires for the next n + highest threshold - D spikes, with
 * D the highest of those that have not fired, and the word is not looked at before; then it catches up.
 */
#include "bs4nn_layout.h"

/* A layer's counts. */
#define SENT 0u /* spikes that have been sent to it */
#define DUE 1u  /* so many of them at which a word has to be looked at */

/* The record of a word of neurons; its bit planes follow. */
#define ALIVE 0u /* set bits have not fired yet */
#define SEEN 2u  /* half-word: spikes that it has counted */
#define NEXT 3u  /* half-word: spikes at which it has to be looked at */

/* A layer, hidden or output. */
typedef struct {
    uint32_t l;              /* from the input side; the output layer's is the number of hidden layers */
    uint32_t neurons;
    uint32_t threshold;      /* the highest */
    uint32_t spread;         /* the largest lead */
    uint32_t planes;
    uint32_t stride;         /* words of a record and its planes */
    uint32_t *records;
    uint32_t *counts;
    const uint32_t *odd;     /* the first word's odd distances, the next one's ... */
    uint32_t odd_stride;     /* ... so many words later; NULL if all neurons share a threshold */
    half_t *spikes;          /* all that have been sent to it; NULL: the output layer, which counts them when they come */
    const uint32_t *columns; /* of a hidden layer */
    uint32_t height;         /* words of a column */
} layer_t;

/* One inference. */
typedef struct {
    const bs4nn_network_t *network;
    uint32_t *workspace;
    const bs4nn_trace_t *trace; /* NULL: stop with the first output spike */
    uint32_t now;               /* the step */
    uint32_t delivered;         /* pixels that have fired */
    uint32_t intensity;         /* of the pixels that fire next, ... */
    uint32_t step;              /* ... at step floor((intensity_max - intensity) * T / intensity_max), ... */
    uint32_t remainder;         /* ... and what the division leaves */
    int32_t highest;            /* potential of the answer when it fired */
    bs4nn_result_t result;
    layer_t output;
    layer_t hidden;             /* the one that was looked at last */
    uint8_t on_their_way;       /* hidden spikes arrive at the next step */
    uint8_t decided;            /* an output neuron has fired */
    uint8_t read_out;           /* the readout step has passed */
} run_t;

/* ---- Layers ---- */

/* A hidden layer's spikes: after its records, but those of the pixels have a place of their own. */
static half_t *spikes_of(const run_t *run, uint32_t l)
{
    const bs4nn_hidden_t *hidden = &run->network->hidden[l];
    uint32_t *counts = run->workspace + hidden->state;
    return l == 0u ? (half_t *)(run->workspace + PLACES_WORDS)
                   : (half_t *)(counts + COUNTS + RING_WORDS + (uint32_t)hidden->words * (RECORD + hidden->planes));
}

static void enter_output(run_t *run)
{
    const bs4nn_output_t *output = &run->network->output;
    layer_t *at = &run->output;
    at->l = run->network->hidden_layers;
    at->neurons = output->neurons;
    at->threshold = output->threshold;
    at->spread = output->spread;
    at->planes = output->planes;
    at->stride = at->planes + OUTPUT_RECORD;
    at->records = run->workspace + PLACES_WORDS + spikes_words(inputs_of(run->network));
    at->odd = at->records + RECORD + at->planes; /* the words of the batch have another use here */
    at->odd_stride = at->stride;
    at->counts = at->records + RECORD + at->planes + 1u;
    at->spikes = NULL;
    at->columns = NULL;
    at->height = 0;
    run->hidden.l = at->l; /* no hidden layer yet */
}

static layer_t *enter_layer(run_t *run, uint32_t l)
{
    layer_t *at = &run->hidden;
    if (l == run->output.l) {
        return &run->output;
    }
    if (l != at->l) {
        const bs4nn_hidden_t *hidden = &run->network->hidden[l];
        at->l = l;
        at->neurons = hidden->neurons;
        at->threshold = hidden->threshold;
        at->spread = hidden->spread;
        at->planes = hidden->planes;
        at->stride = RECORD + at->planes;
        at->counts = run->workspace + hidden->state;
        at->records = at->counts + COUNTS + RING_WORDS;
        at->odd = hidden->start != NULL ? hidden->start + hidden->start_planes : NULL;
        at->odd_stride = hidden->start_planes + 1u;
        at->spikes = spikes_of(run, l);
        at->columns = hidden->columns;
        at->height = hidden->inputs;
    }
    return at;
}

/* How far output neuron j is below the layer's highest threshold. */
static uint32_t distance(const bs4nn_output_t *output, uint32_t j)
{
    return output->thresholds != NULL ? (uint32_t)(output->threshold - output->thresholds[j]) : 0u;
}

/* Set the output layer's counters and odd distances, which are 0, to what its thresholds ask for. */
static void add_output_leads(const run_t *run)
{
    const layer_t *at = &run->output;
    for (uint32_t j = 0; j < at->neurons; j++) {
        uint32_t *plane = at->records + j / WORD_BITS * at->stride + RECORD;
        uint32_t lane = (uint32_t)1u << (j % WORD_BITS);
        uint32_t far = distance(&run->network->output, j);
        if ((far & 1u) != 0u) {
            plane[at->planes] |= lane;
        }
        while ((far >>= 1) != 0u) {
            if ((far & 1u) != 0u) {
                *plane |= lane;
            }
            plane++;
        }
    }
}

/* Set up a layer for a new image. */
static void reset_layer(run_t *run, uint32_t l)
{
    const layer_t *at = enter_layer(run, l);
    uint32_t *record = at->records;
    uint32_t enough = 2u * at->spread + (at->odd != NULL); /* spikes less than the threshold */
    uint32_t clear = at->planes + (at->spikes == NULL);    /* and the output layer's odd distances */
    for (uint32_t w = 0; w * WORD_BITS < at->neurons; w++) {
        record[ALIVE] = alive_lanes(at->neurons, w);
        record[1] = 0; /* SEEN and NEXT */
        for (uint32_t p = 0; p < clear; p++) {
            record[RECORD + p] = 0;
            KEEP_LOOP();
        }
        if (at->spikes != NULL && at->odd != NULL) { /* the leads come before the odd distances */
            const uint32_t *odd = at->odd + w * at->odd_stride;
            for (uint32_t p = at->odd_stride - 1u; p-- != 0u;) {
                record[RECORD + p] = *--odd;
            }
        }
        record += at->stride;
    }
    at->counts[SENT] = 0;
    at->counts[DUE] = at->threshold > enough ? at->threshold - enough : 1u;
}

/* ---- Encoding: pixels to spikes ---- */

/* Of every intensity, in the end, how many pixels have it or are brighter. */
static half_t *places_of(const run_t *run)
{
    return (half_t *)run->workspace;
}

/* Sort the pixels that are not black by intensity, the brightest first. Returns 0 or a negative error. */
static int sort_pixels(const run_t *run, const uint8_t *pixels)
{
    half_t *places = places_of(run);
    half_t *spikes = (half_t *)(run->workspace + PLACES_WORDS);
    const uint8_t *end = pixels + inputs_of(run->network);
    const uint8_t *pixel;
    uint32_t place = 0;
    for (uint32_t i = 0; i <= UINT8_MAX; i++) {
        places[i] = 0;
        KEEP_LOOP();
    }
    for (pixel = pixels; pixel != end; pixel++) {
        places[*pixel]++;
    }
    for (uint32_t i = UINT8_MAX; i != 0u; i--) {
        uint32_t count = places[i];
        if (i > run->network->intensity_max && count != 0u) {
            return BS4NN_ERROR_PIXEL;
        }
        places[i] = (uint16_t)place;
        place += count;
    }
    for (pixel = pixels; pixel != end; pixel++) {
        if (*pixel != 0u) {
            spikes[places[*pixel]++] = (uint16_t)(pixel - pixels);
        }
    }
    return 0;
}

/* Go on to the next intensity that a pixel has, or to black, and find its step without a division (equation 1). */
static void go_on(run_t *run)
{
    while (run->intensity != 0u && places_of(run)[run->intensity] == run->delivered) {
        run->intensity--;
        run->remainder += run->network->time_steps;
        while (run->remainder >= run->network->intensity_max) {
            run->remainder -= run->network->intensity_max;
            run->step++;
        }
    }
}

/* ---- Bit-sliced arithmetic ---- */

/* Add b and c to a, all of them 0 or 1 in every lane, and return the carry: a full adder. */
static inline uint32_t full_add(uint32_t *a, uint32_t b, uint32_t c)
{
    uint32_t half = *a ^ b;
    uint32_t carry = (*a & b) | (half & c);
    *a = half ^ c;
    return carry;
}

/* Add 0 or 1 in every lane to counters. */
static void add(uint32_t *plane, uint32_t carry)
{
    while (carry != 0u) {
        uint32_t sum = *plane ^ carry;
        *plane++ = sum;
        carry &= ~sum;
    }
}

/* Add four rows of a column to the two lowest planes, and return the carry. */
static uint32_t add_four(uint32_t *planes, const uint32_t *column, const half_t *spike)
{
    uint32_t first = full_add(&planes[0], column[spike[0]], column[spike[1]]);
    uint32_t second = full_add(&planes[0], column[spike[2]], column[spike[3]]);
    return full_add(&planes[1], first, second);
}

/* Let a word of neurons catch up with all spikes. */
static void catch_up(const layer_t *at, uint32_t *record, const uint32_t *column)
{
    uint32_t *planes = record + RECORD;
    half_t *seen = (half_t *)record + SEEN;
    const half_t *spike = at->spikes + *seen;
    const half_t *end = at->spikes + at->counts[SENT];
    *seen = (uint16_t)at->counts[SENT];
    while (end - spike >= 4) {
        uint32_t carry = add_four(planes, column, spike);
        spike += 4;
        if (end - spike < 4) {
            add(planes + 2, carry);
            break;
        }
        add(planes + 3, full_add(&planes[2], carry, add_four(planes, column, spike)));
        spike += 4;
    }
    if (end - spike >= 2) {
        add(planes + 1, full_add(&planes[0], column[spike[0]], column[spike[1]]));
        spike += 2;
    }
    if (spike != end) {
        add(planes, column[*spike]);
    }
}

/* The highest D (see above) among `lanes`, which are not empty; leaves the lanes that have it. */
static uint32_t highest(const uint32_t *planes, uint32_t count, uint32_t odd, uint32_t *lanes)
{
    const uint32_t *plane = planes + count;
    uint32_t left = *lanes;
    uint32_t counter = 0;
    uint32_t set;
    while (plane != planes) {
        set = left & *--plane;
        counter <<= 1;
        if (set != 0u) {
            left = set;
            counter++;
        }
    }
    counter <<= 1;
    set = left & odd;
    if (set != 0u) {
        left = set;
        counter++;
    }
    *lanes = left;
    return counter;
}

/* ---- Spikes ---- */

/* The spike of input `i` arrives at the output layer. */
static void arrive_output(const run_t *run, uint32_t i)
{
    uint32_t left = run->network->output.halfwords;
    const uint16_t *row = run->network->output.rows + i * left;
    uint32_t *planes = run->output.records + RECORD;
    run->output.counts[SENT]++;
    for (;;) {
        add(planes, *row++);
        if (--left == 0u) {
            return;
        }
        add(planes, (uint32_t)*row++ << 16);
        if (--left == 0u) {
            return;
        }
        planes += run->output.stride;
    }
}

/* Neurons of word w fire, `lanes`, at potentials of so much beyond their thresholds. */
static void fire(run_t *run, const layer_t *at, uint32_t w, uint32_t lanes, uint32_t beyond)
{
    const bs4nn_network_t *network = run->network;
    uint32_t above = at->l + 1u;
    uint16_t *times = NULL;
    if (run->trace != NULL) {
        times = run->trace->firing_times;
        for (uint32_t l = 0; l < at->l; l++) {
            times += network->hidden[l].neurons;
        }
    }
    if (above <= network->hidden_layers) {
        run->on_their_way = network->delay;
    }
    for (; lanes != 0u; lanes &= lanes - 1u) {
        uint32_t j = w * WORD_BITS + lowest_bit(lanes);
        if (times != NULL) {
            times[j] = (uint16_t)(run->now + network->delay);
        }
        if (above < network->hidden_layers) {
            uint32_t *sent = run->workspace + network->hidden[above].state + SENT;
            spikes_of(run, above)[(*sent)++] = (uint16_t)j;
        } else if (above == network->hidden_layers) {
            arrive_output(run, j);
        } else if (!run->decided) {
            int32_t potential = (int32_t)(at->threshold - distance(&network->output, j) + beyond);
            if (potential > run->highest || (potential == run->highest && j < run->result.answer)) {
                run->highest = potential; /* among equals the lowest index wins */
                run->result.answer = (uint16_t)j;
            }
        }
    }
}

/* After how many more spikes the first of `lanes` could fire, if spikes with +1 alone would let it after `gap`. */
static int32_t look_ahead(const run_t *run, const layer_t *at, const uint32_t *column, uint32_t lanes, int32_t gap)
{
    const half_t *spike = at->spikes + at->counts[SENT];
    const half_t *end = at->spikes + places_of(run)[1]; /* pixels are known in advance */
    for (int32_t left = gap; left != 0 && spike != end; left--) {
        lanes &= column[*spike++];
        if (lanes == 0u) { /* each meets a synapse of -1 before */
            return gap + (at->odd != NULL ? 1 : 2); /* others may lack only one spike more where distances are odd */
        }
    }
    return gap;
}

/* Look at word w: who can fires. Returns after how many more spikes somebody else could. */
static int32_t look_at_word(run_t *run, const layer_t *at, uint32_t w, uint32_t planes)
{
    uint32_t *record = at->records + w * at->stride;
    const uint32_t *column = at->columns + w * at->height;
    uint32_t odd = at->odd != NULL ? at->odd[w * at->odd_stride] : 0u;
    if (at->spikes != NULL) {
        catch_up(at, record, column);
    }
    while (record[ALIVE] != 0u) {
        uint32_t lanes = record[ALIVE];
        int32_t gap = (int32_t)(at->counts[SENT] + at->threshold - highest(record + RECORD, planes, odd, &lanes));
        if (gap > 0) {
            return at->l == 0u && at->spikes != NULL ? look_ahead(run, at, column, lanes, gap) : gap;
        }
        record[ALIVE] &= ~lanes;
        fire(run, at, w, lanes, (uint32_t)-gap);
    }
    return UINT16_MAX;
}

/* Everything that happens at a layer at this step. */
static void run_layer(run_t *run, uint32_t l)
{
    const layer_t *at = enter_layer(run, l);
    uint32_t n = at->counts[SENT];
    uint32_t planes = 0; /* that hold every counter */
    uint32_t first_due = UINT16_MAX;
    if (n < at->counts[DUE] || run->now + run->network->delay >= run->network->time_steps) {
        return; /* nobody can fire, or too late to arrive anywhere */
    }
    while ((n + at->spread) >> planes != 0u) {
        planes++;
    }
    half_t *due = (half_t *)at->records + NEXT;
    for (uint32_t w = 0; w * WORD_BITS < at->neurons; w++) {
        if (*due <= n) {
            uint32_t next = n + (uint32_t)look_at_word(run, at, w, planes);
            *due = (uint16_t)(next < UINT16_MAX ? next : UINT16_MAX);
        }
        if (*due < first_due) {
            first_due = *due;
        }
        due += 2u * at->stride;
    }
    at->counts[DUE] = first_due;
}

/* ---- One image ---- */

/* Input and hidden spikes so far. */
static uint32_t spikes_so_far(run_t *run)
{
    uint32_t spikes = 0;
    for (uint32_t l = 0; l <= run->network->hidden_layers; l++) {
        spikes += enter_layer(run, l)->counts[SENT];
    }
    return spikes;
}

/* The potentials that decide if nobody fires. */
static void read_out(run_t *run)
{
    const layer_t *at = &run->output;
    int32_t best = INT32_MIN;
    for (uint32_t j = 0; j < at->neurons; j++) {
        uint32_t w = j / WORD_BITS;
        uint32_t lane = (uint32_t)1u << (j % WORD_BITS);
        uint32_t d = highest(at->records + w * at->stride + RECORD, at->planes, at->odd[w * at->odd_stride], &lane);
        int32_t potential = (int32_t)(d - distance(&run->network->output, j) - at->counts[SENT]);
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
static void deliver(run_t *run)
{
    while (run->step == run->now) {
        uint32_t known = places_of(run)[run->intensity];
        if (run->output.l != 0u) {
            run->workspace[run->network->hidden[0].state + SENT] = known;
        }
        for (; run->delivered < known; run->delivered++) {
            if (run->output.l == 0u) {
                arrive_output(run, ((half_t *)(run->workspace + PLACES_WORDS))[run->delivered]);
            }
        }
        go_on(run);
    }
}

/* The output layer at this step. Returns whether the answer is found, and nothing more asked for. */
static int run_output(run_t *run)
{
    run_layer(run, run->output.l);
    if (run->highest != INT32_MIN && !run->decided) {
        run->decided = 1;
        run->result.response_time = (uint16_t)(run->now + run->network->delay);
        run->result.spikes = spikes_so_far(run);
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
        run->now = run->on_their_way ? run->now + 1u : run->step;
        run->on_their_way = 0;
        if (run->now > network->readout_step && !run->read_out) {
            read_out(run);
        }
        if (run->now >= network->time_steps) {
            return;
        }
        deliver(run);
        if (network->delay != 0u) {
            if (run_output(run)) {
                return;
            }
            if (run->now == network->readout_step) {
                read_out(run); /* before this step's hidden spikes, which arrive at the next one */
            }
            for (uint32_t l = run->output.l; l-- != 0u;) {
                run_layer(run, l);
            }
        } else {
            for (uint32_t l = 0; l < run->output.l; l++) {
                run_layer(run, l);
            }
            if (run_output(run)) {
                return;
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
    run_t run; /* field by field, for an initializer would call memset */
    run.network = net->network;
    run.workspace = net->workspace;
    run.trace = trace;
    run.now = 0;
    run.delivered = 0;
    run.intensity = net->network->intensity_max;
    run.step = 0;
    run.remainder = 0;
    run.highest = INT32_MIN;
    run.result.answer = 0;
    run.result.response_time = net->network->time_steps;
    run.on_their_way = 0;
    run.decided = 0;
    run.read_out = 0;

    int error = sort_pixels(&run, pixels);
    if (error != 0) {
        return error;
    }
    enter_output(&run);
    for (uint32_t l = 0; l <= run.output.l; l++) {
        reset_layer(&run, l);
    }
    add_output_leads(&run);
    if (trace != NULL) {
        for (uint32_t j = 0; j < bs4nn_neurons(run.network); j++) {
            trace->firing_times[j] = run.network->time_steps;
        }
    }
    go_on(&run);
    run_image(&run);
    if (!run.decided) {
        run.result.spikes = spikes_so_far(&run);
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
