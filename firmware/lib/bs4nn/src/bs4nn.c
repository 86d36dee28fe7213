/*
 * bs4nn.c - the portable kernel: event-driven, bit-sliced, lazy, exact.
 *
 * Event-driven: only steps at which a spike arrives are visited.
 *
 * Bit-sliced: the counters of 32 neurons live side by side in "bit planes": bit j of plane p is bit p
 * of neuron j's counter, so one word operation works on 32 neurons. With n spikes arrived at a layer, c of
 * them over synapses of +1, a neuron's potential is V = c - (n - c) = 2c - n. Only c is counted; synapses
 * of -1 cost nothing. V >= threshold is c >= (n + threshold + 1) >> 1, one number for all neurons.
 *
 * Neurons with other thresholds start with a lead: with `highest` the layer's highest threshold and
 * highest - threshold = 2 lead + odd, the same comparison reads c + lead >= (n + highest + 1 - odd) >> 1.
 *
 * Lazy: every spike moves a potential by one, so a word whose neurons all lack g to their thresholds need
 * not be looked at for g spikes. It is put down in a ring for the spike at which it is due, catches
 * up then with all spikes that it has missed, and is put down again. Nothing else happens to it.
 */
#include "bs4nn.h"

/* Counters for 65,535 inputs and the largest lead. */
#define MAX_PLANES 17u
/* Spikes are added as numbers of three bits. */
#define MIN_PLANES 3u
#define WORD_BITS 32u

/* How far ahead a word can be put down; one that is due later is looked at for nothing, once. */
#define RING 64u

/* Words of scratch for the counting sort, which ends before the layers need their memory. */
#define SORT_WORDS 128u

/* The workspace is declared as words; parts of it are used as half-words. */
#if defined(__GNUC__)
typedef uint16_t __attribute__((__may_alias__)) half_t;
typedef uint32_t __attribute__((__may_alias__)) word_t; /* four pixels */
/* Keeps the compiler from replacing a short loop by a call of memset. */
#define KEEP_LOOP() __asm__ volatile("")
#else
typedef uint16_t half_t;
typedef uint32_t word_t;
#define KEEP_LOOP() ((void)0)
#endif

/* Where a hidden layer's state lies in the workspace; bs4nn_init checks the layout. */
typedef struct {
    uint32_t *words;  /* words x (RECORD + planes): see below, then the bit planes of c + lead */
    uint32_t *ring;   /* groups x RING; set bits are words of the group that are due at this spike */
    uint32_t *counts; /* see below */
    half_t *spikes;   /* neurons in the order of firing, for a hidden layer above; none for the last */
} state_t;

/* The record of a word of neurons. */
#define ALIVE 0u /* set bits have not fired yet */
#define SEEN 1u  /* how many of the layer's spikes have been counted */
#define RECORD 2u

/* The counts of a layer. */
#define ARRIVED 0u /* spikes that have arrived at the layer */
#define FIRED 1u   /* neurons that have fired */
#define TOP 2u     /* planes that the counters can have reached by now */
#define COUNTS 3u

/* One inference. */
typedef struct {
    const bs4nn_network_t *network;
    uint32_t *workspace;
    const uint8_t *pixels;
    const bs4nn_trace_t *trace; /* NULL: stop with the first output spike */
    half_t *order;              /* indices of the non-black pixels, brightest first */
    uint32_t input_spikes;      /* how many of them */
    uint32_t delivered;         /* how many have arrived at layer 1 */
    uint32_t intensity;         /* of the last pixel that was looked at, and ... */
    uint32_t step;              /* ... floor((intensity_max - intensity) * T / intensity_max), with ... */
    uint32_t remainder;         /* ... what the division leaves */
    uint32_t quotient_a_unit;   /* T / intensity_max and ... */
    uint32_t remainder_a_unit;  /* ... T % intensity_max */
    uint32_t *output_planes;    /* words x planes of the output layer */
    uint32_t *output_alive;     /* words */
    uint32_t *output_odd;       /* words; see bs4nn_hidden_t */
    uint32_t output_arrived;    /* spikes that have arrived at the output layer */
    uint32_t output_due;        /* spike at which an output neuron could reach its threshold */
    uint32_t spikes;            /* input and hidden spikes so far */
    bs4nn_result_t result;
    uint8_t decided;            /* an output neuron has fired */
    uint8_t read_out;           /* the readout step has passed */
    uint8_t on_their_way;       /* hidden spikes of the step before have yet to arrive */
} run_t;

/* ---- Bits ---- */

static uint32_t bits_of(uint32_t value)
{
    uint32_t bits = 0;
    for (; value != 0u; value >>= 1) {
        bits++;
    }
    return bits;
}

/* Index of the lowest set bit. */
static uint32_t lowest_bit(uint32_t word)
{
#if defined(__GNUC__) && (!defined(__arm__) || defined(__ARM_FEATURE_CLZ))
    return (uint32_t)__builtin_ctz(word);
#else /* a core without a count of zeros: a multiplication by a de Bruijn sequence */
    static const uint8_t index[32] = {0,  1,  28, 2,  29, 14, 24, 3, 30, 22, 20, 15, 25, 17, 4,  8,
                                      31, 27, 13, 23, 21, 19, 16, 7, 26, 12, 18, 6,  11, 5,  10, 9};
    return index[(uint32_t)((word & (0u - word)) * 0x077CB531u) >> 27];
#endif
}

/* ---- Sizes and checks ---- */

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

static uint32_t order_words(const bs4nn_network_t *network)
{
    return (bs4nn_inputs(network) + 1u) / 2u;
}

static uint32_t output_words(const bs4nn_output_t *output)
{
    return (output->halfwords + 1u) / 2u;
}

static uint32_t groups(const bs4nn_hidden_t *layer)
{
    return (layer->words + WORD_BITS - 1u) / WORD_BITS;
}

static uint32_t state_words(const bs4nn_network_t *network, uint32_t l)
{
    const bs4nn_hidden_t *layer = &network->hidden[l];
    uint32_t spikes = l + 1u < network->hidden_layers ? (layer->neurons + 1u) / 2u : 0u;
    return layer->words * (RECORD + layer->planes) + groups(layer) * RING + COUNTS + spikes;
}

static state_t state_of(const run_t *run, const bs4nn_hidden_t *layer)
{
    state_t state;
    state.words = run->workspace + layer->state;
    state.ring = state.words + (uint32_t)layer->words * (RECORD + layer->planes);
    state.counts = state.ring + groups(layer) * RING;
    state.spikes = (half_t *)(state.counts + COUNTS);
    return state;
}

static int planes_are_enough(uint32_t planes, uint32_t inputs, uint32_t spread)
{
    return planes >= MIN_PLANES && planes <= MAX_PLANES && (inputs + spread) >> planes == 0u;
}

static int hidden_is_sound(const bs4nn_hidden_t *layer, uint32_t inputs, uint32_t state)
{
    return layer->inputs == inputs && inputs != 0u && layer->neurons != 0u && layer->rows != NULL
        && layer->words == (layer->neurons + WORD_BITS - 1u) / WORD_BITS && layer->threshold != 0u
        && planes_are_enough(layer->planes, inputs, layer->spread)
        && (layer->spread == 0u || layer->start != NULL) && layer->state == state;
}

int bs4nn_init(bs4nn_t *net, const bs4nn_network_t *network, uint32_t *workspace, size_t workspace_bytes)
{
    if (net == NULL || network == NULL || workspace == NULL) {
        return BS4NN_ERROR_ARGUMENT;
    }
    const bs4nn_output_t *output = &network->output;
    if (network->time_steps == 0u || network->readout_step >= network->time_steps || network->delay > 1u
        || network->intensity_max == 0u || (network->hidden_layers != 0u && network->hidden == NULL)
        || output->rows == NULL || output->neurons == 0u || output->inputs == 0u || output->threshold == 0u
        || output->halfwords != (output->neurons + 15u) / 16u
        || !planes_are_enough(output->planes, output->inputs, output->spread)
        || (output->spread != 0u && output->thresholds == NULL)) {
        return BS4NN_ERROR_NETWORK;
    }
    uint32_t inputs = bs4nn_inputs(network);
    uint32_t words = order_words(network) + output_words(output) * (output->planes + 2u);
    for (uint32_t l = 0; l < network->hidden_layers; l++) {
        const bs4nn_hidden_t *layer = &network->hidden[l];
        if (!hidden_is_sound(layer, inputs, words)) {
            return BS4NN_ERROR_NETWORK;
        }
        inputs = layer->neurons;
        words += state_words(network, l);
    }
    if (words < order_words(network) + SORT_WORDS) {
        words = order_words(network) + SORT_WORDS;
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

/* One pixel in one of the two passes of the sort: count it, or put it in its place. */
static inline void sort_pixel(const run_t *run, half_t *next, uint32_t i, int fill)
{
    uint32_t intensity = run->pixels[i];
    if (intensity != 0u) {
        if (fill) {
            run->order[next[intensity]++] = (uint16_t)i;
        } else {
            next[intensity]++;
        }
    }
}

/* One pass over all pixels, four at a time where they are aligned, for most pixels are black. */
static void sort_pass(const run_t *run, half_t *next, int fill)
{
    uint32_t inputs = bs4nn_inputs(run->network);
    uint32_t i = 0;
    if (((uintptr_t)run->pixels & 3u) == 0u) {
        const word_t *four = (const word_t *)(const void *)run->pixels;
        for (; i + 4u <= inputs; i += 4u) {
            if (*four++ != 0u) {
                sort_pixel(run, next, i, fill);
                sort_pixel(run, next, i + 1u, fill);
                sort_pixel(run, next, i + 2u, fill);
                sort_pixel(run, next, i + 3u, fill);
            }
        }
    }
    for (; i < inputs; i++) {
        sort_pixel(run, next, i, fill);
    }
}

/*
 * Counting sort of the pixels that fire, brightest first. A pixel of intensity 0 fires at step T,
 * which is never. Returns 0 or a negative error.
 */
static int sort_pixels(run_t *run)
{
    uint32_t intensity_max = run->network->intensity_max;
    half_t *next = (half_t *)(run->workspace + order_words(run->network)); /* 256 of them */

    for (uint32_t i = 0; i < SORT_WORDS; i++) {
        run->workspace[order_words(run->network) + i] = 0;
        KEEP_LOOP();
    }
    sort_pass(run, next, 0);
    for (uint32_t intensity = 255; intensity > intensity_max; intensity--) {
        if (next[intensity] != 0u) {
            return BS4NN_ERROR_PIXEL;
        }
    }
    uint32_t position = 0; /* now: where the next pixel of an intensity goes */
    for (uint32_t intensity = intensity_max; intensity > 0u; intensity--) {
        uint32_t count = next[intensity];
        next[intensity] = (uint16_t)position;
        position += count;
    }
    run->input_spikes = position;
    sort_pass(run, next, 1);
    return 0;
}

/* Step of a pixel that is no brighter than the one before, without a division (equation 1). */
static uint32_t step_of(run_t *run, uint32_t intensity)
{
    uint32_t intensity_max = run->network->intensity_max;
    uint32_t darker = run->intensity - intensity;
    run->intensity = intensity;
    run->step += run->quotient_a_unit * darker;
    run->remainder += run->remainder_a_unit * darker;
    while (run->remainder >= intensity_max) {
        run->remainder -= intensity_max;
        run->step++;
    }
    return run->step;
}

/* Index in `order` of the first input spike after this step's, which starts at `position`. */
static uint32_t end_of_step(run_t *run, uint32_t position, uint32_t step)
{
    while (position < run->input_spikes) {
        uint32_t pixel = run->pixels[run->order[position]];
        if (pixel != run->intensity && step_of(run, pixel) != step) {
            break;
        }
        position++;
    }
    return position;
}

/* ---- Bit-sliced arithmetic ---- */

/* Add a number of 0 or 1 in every lane, at this plane and up. */
static inline void ripple(uint32_t *plane, uint32_t carry)
{
    while (carry != 0u) {
        uint32_t before = *plane;
        *plane++ = before ^ carry;
        carry &= before;
    }
}

/* Sum of three numbers of 0 or 1 in every lane, and the carry: a full adder. */
static inline uint32_t full_add(uint32_t a, uint32_t b, uint32_t c, uint32_t *carry)
{
    uint32_t half = a ^ b;
    *carry = (a & b) | (half & c);
    return half ^ c;
}

/* Add to the counters a number of three bits in every lane. */
static void add_number(uint32_t *planes, uint32_t ones, uint32_t twos, uint32_t fours)
{
    uint32_t carry = planes[0] & ones;
    planes[0] ^= ones;
    planes[1] = full_add(planes[1], twos, carry, &carry);
    planes[2] = full_add(planes[2], fours, carry, &carry);
    ripple(planes + 3, carry);
}

/* Add to the counters of one word the synapses of `count` spikes; `column` is the word's first row. */
static inline void count_spikes(uint32_t *planes, const uint32_t *column, uint32_t words, const half_t *inputs,
                                uint32_t count)
{
#define ROW(k) column[(uint32_t)inputs[k] * words]
    uint32_t carry_a, carry_b, carry_c, ones, twos, fours;
    while (count >= 7u) { /* seven spikes to a number of three bits, by four full adders */
        ones = full_add(ROW(0), ROW(1), ROW(2), &carry_a);
        ones = full_add(ones, ROW(3), ROW(4), &carry_b);
        ones = full_add(ones, ROW(5), ROW(6), &carry_c);
        twos = full_add(carry_a, carry_b, carry_c, &fours);
        add_number(planes, ones, twos, fours);
        inputs += 7;
        count -= 7u;
    }
    if (count >= 3u) { /* three to six */
        ones = full_add(ROW(0), ROW(1), ROW(2), &carry_a);
        carry_b = 0;
        carry_c = 0;
        if (count >= 5u) {
            ones = full_add(ones, ROW(3), ROW(4), &carry_b);
            inputs += 2;
            count -= 2u;
        }
        if (count == 4u) {
            uint32_t row = ROW(3);
            carry_c = ones & row;
            ones ^= row;
        }
        twos = full_add(carry_a, carry_b, carry_c, &fours);
        add_number(planes, ones, twos, fours);
    } else if (count != 0u) { /* one or two */
        ones = ROW(0);
        twos = 0;
        if (count == 2u) {
            uint32_t row = ROW(1);
            twos = ones & row;
            ones ^= row;
        }
        carry_a = planes[0] & ones;
        planes[0] ^= ones;
        if ((twos | carry_a) != 0u) { /* never both in one lane with a lower sum than three */
            planes[1] = full_add(planes[1], twos, carry_a, &carry_a);
            ripple(planes + 2, carry_a);
        }
    }
#undef ROW
}

/*
 * The highest counter among the lanes of `*mask`, which is not empty; leaves in it the lanes that have
 * it. `top` planes may be set.
 */
static uint32_t highest_counter(const uint32_t *planes, uint32_t top, uint32_t *mask)
{
    uint32_t highest = 0;
    uint32_t lanes = *mask;
#define LOOK_AT(p) \
    do { \
        uint32_t set = lanes & planes[p]; \
        if (set != 0u) { \
            lanes = set; \
            highest |= (uint32_t)1u << (p); \
        } \
    } while (0)
    for (uint32_t p = top; p > 8u; p--) {
        LOOK_AT(p - 1u);
    }
    switch (top < 8u ? top : 8u) { /* the usual planes without a loop: each case goes on with the next */
    case 8: LOOK_AT(7); /* fall through */
    case 7: LOOK_AT(6); /* fall through */
    case 6: LOOK_AT(5); /* fall through */
    case 5: LOOK_AT(4); /* fall through */
    case 4: LOOK_AT(3); /* fall through */
    case 3: LOOK_AT(2); /* fall through */
    case 2: LOOK_AT(1); /* fall through */
    case 1: LOOK_AT(0); /* fall through */
    default: break;
    }
#undef LOOK_AT
    *mask = lanes;
    return highest;
}

/* The lanes whose counters are at least `level`. */
static uint32_t lanes_at_least(const uint32_t *planes, uint32_t top, uint32_t level)
{
    uint32_t lanes = UINT32_MAX;
    if (level >> top != 0u) {
        return 0;
    }
    for (uint32_t p = 0; p < top; p++) {
        lanes = (level >> p & 1u) != 0u ? lanes & planes[p] : lanes | planes[p];
    }
    return lanes;
}

/* The lanes that have reached their thresholds after n spikes; `odd` as in bs4nn_hidden_t. */
static uint32_t lanes_over_threshold(const uint32_t *planes, uint32_t top, uint32_t n, uint32_t threshold, uint32_t odd)
{
    uint32_t over = lanes_at_least(planes, top, (n + threshold + 1u) >> 1);
    if (odd != 0u) {
        over = (over & ~odd) | (lanes_at_least(planes, top, (n + threshold) >> 1) & odd);
    }
    return over;
}

/* The counter of one lane. */
static uint32_t counter_of(const uint32_t *planes, uint32_t count, uint32_t lane)
{
    uint32_t counter = 0;
    for (uint32_t p = count; p-- > 0u;) {
        counter = counter << 1 | (planes[p] >> lane & 1u);
    }
    return counter;
}

/* ---- The output layer ---- */

/* Let the spike of input `i` arrive: its column goes into the counters; nobody looks at them yet, and the
 * caller adds to output_arrived. */
static inline void arrive_output(const run_t *run, uint32_t i)
{
    const bs4nn_output_t *output = &run->network->output;
    uint32_t halfwords = output->halfwords;
    const uint16_t *row = output->rows + i * halfwords;
    uint32_t *planes = run->output_planes;
    for (; halfwords > 1u; halfwords -= 2u) {
        ripple(planes, row[0] | (uint32_t)row[1] << 16);
        row += 2;
        planes += output->planes;
    }
    if (halfwords != 0u) {
        ripple(planes, row[0]);
    }
}

/* Potential of output neuron j. */
static int32_t output_potential(const run_t *run, uint32_t j)
{
    const bs4nn_output_t *output = &run->network->output;
    const uint32_t *planes = run->output_planes + j / WORD_BITS * output->planes;
    uint32_t lead = output->thresholds != NULL ? (uint32_t)(output->threshold - output->thresholds[j]) >> 1 : 0u;
    uint32_t counter = counter_of(planes, output->planes, j % WORD_BITS) - lead;
    return (int32_t)(2u * counter) - (int32_t)run->output_arrived;
}

/* Output neurons of word w fire, `fired` of them; the first ones decide. */
static void fire_output(run_t *run, uint32_t w, uint32_t fired, uint32_t firing_time, int32_t *highest)
{
    const bs4nn_network_t *network = run->network;
    run->output_alive[w] &= ~fired;
    for (; fired != 0u; fired &= fired - 1u) {
        uint32_t j = w * WORD_BITS + lowest_bit(fired);
        if (run->trace != NULL) {
            run->trace->firing_times[bs4nn_neurons(network) - network->output.neurons + j] = (uint16_t)firing_time;
        }
        int32_t potential = output_potential(run, j);
        if (!run->decided && potential > *highest) { /* strictly: among equals the lowest index wins */
            *highest = potential;
            run->result.answer = (uint16_t)j;
        }
    }
}

/* Look at the output neurons after everything has arrived at this step, if one can have crossed. */
static void look_at_output(run_t *run, uint32_t step)
{
    const bs4nn_output_t *output = &run->network->output;
    uint32_t firing_time = step + run->network->delay;
    uint32_t n = run->output_arrived;
    uint32_t nearest = UINT32_MAX;
    int32_t highest = INT32_MIN;

    if (n < run->output_due || firing_time >= run->network->time_steps) {
        return;
    }
    for (uint32_t w = 0; w < output_words(output); w++) {
        const uint32_t *planes = run->output_planes + w * output->planes;
        uint32_t odd = run->output_odd[w];
        uint32_t fired = lanes_over_threshold(planes, output->planes, n, output->threshold, odd) & run->output_alive[w];
        fire_output(run, w, fired, firing_time, &highest);
        if (run->output_alive[w] != 0u) {
            uint32_t mask = run->output_alive[w];
            uint32_t reach = 2u * highest_counter(planes, output->planes, &mask) + (odd != 0u);
            uint32_t gap = n + output->threshold > reach ? n + output->threshold - reach : 1u;
            nearest = gap < nearest ? gap : nearest;
        }
    }
    run->output_due = nearest == UINT32_MAX ? UINT32_MAX : n + nearest;
    if (highest != INT32_MIN && !run->decided) {
        run->decided = 1;
        run->result.response_time = (uint16_t)firing_time;
        run->result.spikes = run->spikes;
    }
}

/* The potentials that decide if nobody fires. */
static void read_out(run_t *run)
{
    int32_t highest = INT32_MIN;
    uint32_t best = 0;
    for (uint32_t j = 0; j < run->network->output.neurons; j++) {
        int32_t potential = output_potential(run, j);
        if (potential > highest) {
            highest = potential;
            best = j;
        }
        if (run->trace != NULL) {
            run->trace->readout_potentials[j] = potential;
        }
    }
    if (!run->decided) {
        run->result.answer = (uint16_t)best;
    }
    run->read_out = 1;
}

/* ---- Hidden layers ---- */

/* Neurons of word w fire, `fired` of them: hand their spikes to the layer above. */
static void fire_hidden(run_t *run, uint32_t l, const state_t *state, uint32_t w, uint32_t fired, uint32_t firing_time)
{
    const bs4nn_network_t *network = run->network;
    uint16_t *times = NULL;
    if (firing_time >= network->time_steps) {
        return; /* too late to arrive anywhere */
    }
    if (run->trace != NULL) {
        times = run->trace->firing_times;
        for (uint32_t k = 0; k < l; k++) {
            times += network->hidden[k].neurons;
        }
    }
    uint32_t first = w * WORD_BITS;
    uint32_t count = 0;
    if (times != NULL) {
        for (uint32_t left = fired; left != 0u; left &= left - 1u) {
            times[first + lowest_bit(left)] = (uint16_t)firing_time;
        }
    }
    if (l + 1u < network->hidden_layers) {
        half_t *spikes = state->spikes + state->counts[FIRED];
        for (; fired != 0u; fired &= fired - 1u) {
            spikes[count++] = (uint16_t)(first + lowest_bit(fired));
        }
        state->counts[FIRED] += count;
    } else {
        for (; fired != 0u; fired &= fired - 1u) {
            arrive_output(run, first + lowest_bit(fired));
            count++;
        }
        run->output_arrived += count;
    }
    run->spikes += count;
    run->on_their_way = 1;
}

/* Put word w down for the spike at which a neuron of it can next reach its threshold. */
static inline void put_down(const state_t *state, uint32_t w, uint32_t n, uint32_t gap)
{
    uint32_t due = n + (gap < RING ? gap : RING - 1u);
    state->ring[(w / WORD_BITS) * RING + due % RING] |= (uint32_t)1u << (w % WORD_BITS);
}

/* What looking at a word of a layer needs, the same for all words at one step. */
typedef struct {
    run_t *run;
    const bs4nn_hidden_t *layer;
    state_t state;
    uint32_t l;
    const half_t *source; /* the spikes that arrive at the layer, and ... */
    uint32_t n;           /* ... how many have by now */
    uint32_t top;         /* planes that the counters can have reached */
    uint32_t level;       /* n + highest threshold: twice the counter that fires, rounded up */
    uint32_t odd_at;      /* where a word's odd distances stand in `start` */
    uint32_t firing_time;
} look_t;

/* Let word w catch up with all n spikes, fire, and put it down again. */
static void look_at_word(const look_t *look, uint32_t w)
{
    const bs4nn_hidden_t *layer = look->layer;
    uint32_t *record = look->state.words + w * (RECORD + layer->planes);
    uint32_t *planes = record + RECORD;
    uint32_t seen = record[SEEN];
    uint32_t odd = layer->start != NULL ? layer->start[(w + 1u) * (look->odd_at + 1u) - 1u] : 0u;

    count_spikes(planes, layer->rows + w, layer->words, look->source + seen, look->n - seen);
    record[SEEN] = look->n;

    /* 2 c - n is the highest potential if the threshold is the highest; an odd distance counts one more. */
    uint32_t mask = record[ALIVE];
    uint32_t reach = 2u * highest_counter(planes, look->top, &mask) + (odd != 0u);
    if (reach >= look->level) {
        uint32_t fired = mask; /* mostly: those that have just reached it */
        if (odd != 0u || reach > look->level + 1u) {
            fired = lanes_over_threshold(planes, look->top, look->n, layer->threshold, odd) & record[ALIVE];
        }
        if (fired != 0u) {
            record[ALIVE] &= ~fired;
            fire_hidden(look->run, look->l, &look->state, w, fired, look->firing_time);
            mask = record[ALIVE];
            if (mask == 0u) {
                return; /* nobody left: never put down again */
            }
            reach = 2u * highest_counter(planes, look->top, &mask) + (odd != 0u);
        }
    }
    put_down(&look->state, w, look->n, look->level > reach ? look->level - reach : 1u);
}

/* Everything that happens at hidden layer l at one step: `n` spikes of `source` have arrived by now. */
static void run_hidden(run_t *run, uint32_t l, uint32_t step, const half_t *source, uint32_t n)
{
    const bs4nn_hidden_t *layer = &run->network->hidden[l];
    look_t look;
    look.state = state_of(run, layer);
    uint32_t *counts = look.state.counts;
    uint32_t before = counts[ARRIVED];
    uint32_t first = n - before < RING ? before + 1u : n - RING + 1u; /* the whole ring at the most */

    if (n == before) {
        return;
    }
    counts[ARRIVED] = n;
    while ((n + layer->spread) >> counts[TOP] != 0u) {
        counts[TOP]++;
    }
    look.run = run;
    look.layer = layer;
    look.l = l;
    look.source = source;
    look.n = n;
    look.top = counts[TOP];
    look.level = n + layer->threshold;
    look.odd_at = bits_of(layer->spread);
    look.firing_time = step + run->network->delay;
    for (uint32_t w = 0; w < layer->words; w += WORD_BITS) {
        uint32_t *ring = look.state.ring + w / WORD_BITS * RING;
        uint32_t due = 0;
        for (uint32_t k = first; k <= n; k++) {
            due |= ring[k % RING];
            ring[k % RING] = 0;
        }
        for (; due != 0u; due &= due - 1u) {
            look_at_word(&look, w + lowest_bit(due));
        }
    }
}

/* ---- One step ---- */

static void run_hidden_layer(run_t *run, uint32_t l, uint32_t step)
{
    if (l == 0u) {
        run_hidden(run, 0, step, run->order, run->delivered);
    } else {
        state_t below = state_of(run, &run->network->hidden[l - 1u]);
        run_hidden(run, l, step, below.spikes, below.counts[FIRED]);
    }
}

/*
 * One step, all layers; run->delivered counts the input spikes up to and including it. Without delay a
 * spike travels up within the step, so layers go from the input side up; with a delay of one step each
 * layer takes what fired below it at the step before, so they go from the output side down.
 */
static void run_step(run_t *run, uint32_t step)
{
    const bs4nn_network_t *network = run->network;
    uint32_t layers = network->hidden_layers;
    run->on_their_way = 0;
    if (network->delay == 0u || layers == 0u) {
        for (uint32_t l = 0; l < layers; l++) {
            run_hidden_layer(run, l, step);
        }
        look_at_output(run, step);
        run->on_their_way = 0;
        return;
    }
    look_at_output(run, step);
    if (step == network->readout_step) {
        read_out(run); /* before this step's hidden spikes, which arrive at the next one */
    }
    if (run->decided && run->trace == NULL) {
        return;
    }
    for (uint32_t l = layers; l-- > 0u;) {
        run_hidden_layer(run, l, step);
    }
}

/* ---- One image ---- */

static void run_image(run_t *run)
{
    const bs4nn_network_t *network = run->network;
    uint32_t never = network->time_steps;
    uint32_t input_step = never; /* of the next input spikes, which end at input_end */
    uint32_t input_end = 0;
    uint32_t step = 0;           /* the earliest one that has not been visited */

    if (run->input_spikes != 0u) {
        input_step = step_of(run, run->pixels[run->order[0]]);
        input_end = end_of_step(run, 0, input_step);
    }
    for (;;) {
        if (!run->on_their_way) {
            step = input_step;
        }
        if (!run->read_out && step > network->readout_step) {
            read_out(run);
        }
        if (step >= never) {
            return;
        }
        if (step == input_step) {
            run->spikes += input_end - run->delivered;
            if (network->hidden_layers == 0u) {
                for (uint32_t k = run->delivered; k < input_end; k++) {
                    arrive_output(run, run->order[k]);
                }
                run->output_arrived += input_end - run->delivered;
            }
            run->delivered = input_end;
            input_step = input_end < run->input_spikes ? run->step : never; /* where end_of_step has stopped */
            input_end = end_of_step(run, input_end, input_step);
        }
        run_step(run, step);
        if (run->decided && run->trace == NULL) {
            return;
        }
        step++;
    }
}

/* Put the leads of the neurons into the counters, and every word down for its first spike of interest. */
static void reset_hidden(const run_t *run, uint32_t l)
{
    const bs4nn_hidden_t *layer = &run->network->hidden[l];
    state_t state = state_of(run, layer);
    uint32_t words = state_words(run->network, l);
    uint32_t bits = bits_of(layer->spread);
    uint32_t ahead = 2u * layer->spread + (layer->start != NULL);

    for (uint32_t i = 0; i < words; i++) {
        state.words[i] = 0;
        KEEP_LOOP();
    }
    uint32_t *record = state.words;
    for (uint32_t w = 0; w < layer->words; w++) {
        record[ALIVE] = UINT32_MAX;
        for (uint32_t p = 0; p < bits; p++) {
            record[RECORD + p] = layer->start[w * (bits + 1u) + p];
        }
        put_down(&state, w, 0, layer->threshold > ahead ? layer->threshold - ahead : 1u);
        record += RECORD + layer->planes;
    }
    uint32_t last = layer->neurons % WORD_BITS;
    if (last != 0u) {
        state.words[(layer->words - 1u) * (RECORD + layer->planes) + ALIVE] = ((uint32_t)1u << last) - 1u;
    }
}

static void reset_output(run_t *run)
{
    const bs4nn_output_t *output = &run->network->output;
    uint32_t words = output_words(output);
    for (uint32_t i = 0; i < words * (output->planes + 2u); i++) {
        run->output_planes[i] = 0;
        KEEP_LOOP();
    }
    run->output_alive = run->output_planes + words * output->planes;
    run->output_odd = run->output_alive + words;
    for (uint32_t j = 0; j < output->neurons; j++) {
        uint32_t w = j / WORD_BITS;
        uint32_t bit = (uint32_t)1u << (j % WORD_BITS);
        run->output_alive[w] |= bit;
        if (output->thresholds != NULL) {
            uint32_t distance = (uint32_t)(output->threshold - output->thresholds[j]);
            run->output_odd[w] |= (distance & 1u) != 0u ? bit : 0u;
            uint32_t *plane = run->output_planes + w * output->planes;
            for (uint32_t lead = distance >> 1; lead != 0u; lead >>= 1) {
                *plane++ |= (lead & 1u) != 0u ? bit : 0u;
            }
        }
    }
}

static int run_and_report(bs4nn_t *net, const uint8_t *pixels, const bs4nn_trace_t *trace, bs4nn_result_t *result)
{
    if (net == NULL || net->network == NULL || pixels == NULL) {
        return BS4NN_ERROR_ARGUMENT;
    }
    const bs4nn_network_t *network = net->network;
    run_t run = {0};
    run.network = network;
    run.workspace = net->workspace;
    run.pixels = pixels;
    run.trace = trace;
    run.order = (half_t *)net->workspace;
    run.output_planes = net->workspace + order_words(network);
    run.intensity = network->intensity_max;
    run.quotient_a_unit = (uint32_t)network->time_steps / network->intensity_max;
    run.remainder_a_unit = (uint32_t)network->time_steps % network->intensity_max;
    run.result.response_time = network->time_steps;

    int error = sort_pixels(&run);
    if (error != 0) {
        return error;
    }
    reset_output(&run);
    for (uint32_t l = 0; l < network->hidden_layers; l++) {
        reset_hidden(&run, l);
    }
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
