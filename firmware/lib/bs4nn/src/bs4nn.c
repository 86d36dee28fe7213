/*
 * bs4nn.c - the portable kernel: event-driven, bit-sliced, lazy, exact.
 *
 * Event-driven: pixels are linked by intensity, and only steps at which a spike arrives are visited. The spikes
 * of a layer form a chain: links[i] is the spike after i.
 *
 * Bit-sliced: the counters of 32 neurons live side by side in "bit planes": bit j of plane p is bit p of neuron
 * j's counter, so one word operation works on 32 neurons. With n spikes arrived, c of them over synapses of
 * +1, the potential is V = c - (n - c) = 2c - n, so only +1 is counted, and V >= threshold is
 *
 *     c >= needed(n) = (n + threshold + 1) >> 1.
 *
 * A counter holds c - 8 (needed(n) >> 3), in two's complement, and is compared with the level needed(n) & 7. So
 * counters of neurons near their thresholds are small numbers: those from 0 on ("positive") are nearest, then
 * those from -8 to -1 ("minus"), all others lack more than that. Spikes are folded eight at a time by full
 * adders; taking 8 off costs nothing, for the last carry is turned into what makes up for it.
 *
 * Neurons with other thresholds start with a lead: with `highest` the layer's highest threshold and
 * highest - threshold = 2 lead + odd, the same comparison holds for c + lead, and one less will do where the
 * distance is odd and n + highest is, too.
 *
 * Lazy: every spike moves a potential by one, so a word whose neurons all lack g to their thresholds need not be
 * looked at for g spikes; nor for two more if each of its nearest neurons meets a synapse of -1 among the
 * next spikes that are known. It is put down for the spike at which it is due, catches up then with all
 * that it has missed, and is put down again.
 */
#include "bs4nn.h"

/* What is done most often is there in assembly for Cortex-M, too (bs4nn_cortex_m.S); BS4NN_PORTABLE does without. */
#if defined(__GNUC__) && defined(__thumb__) && !defined(BS4NN_PORTABLE)
#define BS4NN_ASSEMBLY 1
#else
#define BS4NN_ASSEMBLY 0
#endif

/* Counters for 65,535 inputs and the largest threshold and lead. */
#define MAX_PLANES 18u
#define MIN_PLANES 7u
#define MAX_OUTPUT_PLANES 17u
#define MIN_OUTPUT_PLANES 3u
#define WORD_BITS 32u

/* Words are put down for one of the next RING / 2 spikes; who is due later is looked at for nothing, once. */
#define RING 32u
#define RING_WORDS (RING / 2u)
#define FAR (RING / 2u)

/* So many spikes are looked at in advance. */
#define PEEK 3u

#define NO_WORD 0xFFFFu

/* Words that hold the first pixel of every intensity. */
#define HEADS_WORDS 128u

/* The workspace is declared as words; parts of it are used as half-words. */
#if defined(__GNUC__)
typedef uint16_t __attribute__((__may_alias__)) half_t;
typedef uint32_t __attribute__((__may_alias__)) word_t; /* four pixels */
/* Keeps the compiler from replacing a short loop by a call of memset. */
#define KEEP_LOOP() __asm__ volatile("")
/* Keeps registers free for what is done most often. */
#define APART __attribute__((__noinline__))
/* Seldom done: small rather than fast. */
#define COLD __attribute__((__noinline__, __cold__))
#else
typedef uint16_t half_t;
typedef uint32_t word_t;
#define KEEP_LOOP() ((void)0)
#define APART
#define COLD
#endif

/*
 * A hidden layer's state in the workspace; bs4nn_init checks the layout. First the counts, then the ring (for
 * every spike the first word that is due at it), then the records of the words, then, but for the first layer,
 * the links.
 */
#define ARRIVED 0u /* spikes that the layer has dealt with */
#define SENT 1u    /* spikes that have been sent to it */
#define LAST 2u    /* the last of them; links[i] comes after i, and the first after `inputs` */
#define TOP 3u     /* planes that the counters need by now; the highest is the sign. 0: nothing is set up */
#define COUNTS 4u

/* The record of a word of neurons; its bit planes follow. */
#define ALIVE 0u /* set bits have not fired yet */
#define NEXT 1u  /* the next word that is due at the same spike */
#define SEEN 2u  /* the last spike that has been counted; in the upper half how many have been */
#define RECORD 3u

/* Spikes to the output layer are counted eight at a time. */
#define BATCH 8u

/* One inference. */
typedef struct {
    /* The first five are known to bs4nn_cortex_m.S, too. */
    uint32_t *output_batch;     /* words x BATCH rows that have yet to be counted */
    uint32_t *slot;             /* where the next one goes */
    uint32_t output_counted;    /* spikes to the output layer that have been counted */
    uint32_t *output_planes;    /* words x planes of the output layer */
    uint32_t on_their_way;      /* hidden spikes of the step before have yet to arrive */

    const bs4nn_network_t *network;
    uint32_t *workspace;
    const bs4nn_trace_t *trace; /* NULL: stop with the first output spike */
    uint32_t inputs;            /* pixels */
    half_t *links;              /* the chain of pixels */
    uint32_t step;              /* of the brightest intensity that has not been delivered */
    uint32_t intensity;         /* the one after it, 0 at the end, and ... */
    uint32_t step_after;        /* ... floor((intensity_max - intensity) * T / intensity_max), with ... */
    uint32_t remainder;         /* ... what the division leaves */
    uint32_t quotient_a_unit;   /* T / intensity_max and ... */
    uint32_t remainder_a_unit;  /* ... T % intensity_max */
    uint32_t *output_alive;     /* words; then, in as many, the odd distances (see bs4nn_hidden_t) */
    uint32_t linked;            /* pixels in the chain that fire by `step`, and ... */
    uint32_t linked_after;      /* ... by `step_after`: all there are ... */
    uint32_t last;              /* ... and the last of them */
    uint32_t delivered;         /* pixels that have fired, and ... */
    uint32_t newest;            /* ... without hidden layers the last of them */
    uint32_t output_due;        /* spike at which an output neuron could reach its threshold */
    bs4nn_result_t result;
    uint8_t decided;            /* an output neuron has fired, and ... */
    uint8_t finished;           /* ... that is all that is asked for */
    uint8_t read_out;           /* the readout step has passed */
} run_t;

/* ---- Bits ---- */

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

static uint32_t links_words(uint32_t inputs)
{
    return (inputs + 2u) / 2u;
}

static uint32_t output_words(const bs4nn_output_t *output)
{
    return (output->halfwords + 1u) / 2u;
}

static uint32_t state_words(const bs4nn_network_t *network, uint32_t l)
{
    const bs4nn_hidden_t *layer = &network->hidden[l];
    return layer->words * (RECORD + layer->planes) + RING_WORDS + COUNTS
         + (l != 0u ? links_words(layer->inputs) : 0u);
}

static uint32_t *counts_of(const run_t *run, uint32_t l)
{
    return run->workspace + run->network->hidden[l].state;
}

static half_t *links_of(const run_t *run, uint32_t l)
{
    const bs4nn_hidden_t *layer = &run->network->hidden[l];
    return l == 0u ? run->links
                   : (half_t *)(counts_of(run, l) + COUNTS + RING_WORDS
                                + (uint32_t)layer->words * (RECORD + layer->planes));
}

/* After so many spikes `planes` planes still hold every counter that matters, which is below 2^(planes - 1). */
static uint32_t spikes_held(const bs4nn_hidden_t *layer, uint32_t planes)
{
    uint32_t most = ((uint32_t)1u << (planes - 1u)) - 8u; /* of (n + threshold + 1) / 2 + spread */
    uint32_t taken = 2u * layer->spread + layer->threshold;
    return 2u * most > taken ? 2u * most - taken : 0u;
}

static int hidden_is_sound(const bs4nn_hidden_t *layer, uint32_t inputs, uint32_t state)
{
    return layer->inputs == inputs && inputs != 0u && layer->neurons != 0u && layer->columns != NULL
        && layer->words == (layer->neurons + WORD_BITS - 1u) / WORD_BITS && layer->threshold != 0u
        && layer->planes >= MIN_PLANES && layer->planes <= MAX_PLANES && spikes_held(layer, layer->planes) >= inputs
        && (layer->start == NULL ? layer->spread == 0u
                                 : layer->start_planes < layer->planes)
        && layer->state == state;
}

COLD int bs4nn_init(bs4nn_t *net, const bs4nn_network_t *network, uint32_t *workspace, size_t workspace_bytes)
{
    if (net == NULL || network == NULL || workspace == NULL) {
        return BS4NN_ERROR_ARGUMENT;
    }
    const bs4nn_output_t *output = &network->output;
    if (network->time_steps == 0u || network->readout_step >= network->time_steps || network->delay > 1u
        || network->intensity_max == 0u || (network->hidden_layers != 0u && network->hidden == NULL)
        || output->rows == NULL || output->neurons == 0u || output->inputs == 0u || output->threshold == 0u
        || output->halfwords != (output->neurons + 15u) / 16u || output->planes < MIN_OUTPUT_PLANES
        || output->planes > MAX_OUTPUT_PLANES || ((uint32_t)output->inputs + output->spread) >> output->planes != 0u
        || (output->spread != 0u && output->thresholds == NULL)) {
        return BS4NN_ERROR_NETWORK;
    }
    uint32_t inputs = bs4nn_inputs(network);
    uint32_t words = HEADS_WORDS + links_words(inputs) + output_words(output) * (output->planes + 2u + BATCH);
    for (uint32_t l = 0; l < network->hidden_layers; l++) {
        if (!hidden_is_sound(&network->hidden[l], inputs, words)) {
            return BS4NN_ERROR_NETWORK;
        }
        inputs = network->hidden[l].neurons;
        words += state_words(network, l);
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

/* Of every intensity the first pixel; `links` leads to the others. */
static inline half_t *heads_of(const run_t *run)
{
    return (half_t *)run->workspace;
}

/* Link pixel i, if it is not black. */
static inline void link_pixel(half_t *heads, half_t *link, uint32_t i, uint32_t intensity)
{
    if (intensity != 0u) {
        half_t *head = heads + intensity;
        *link = *head;
        *head = (uint16_t)i;
    }
}

/*
 * Link the pixels of every intensity. A pixel of intensity 0 fires at step T, which is never. Returns 0 or
 * a negative error.
 */
static APART int sort_image(const run_t *run, const uint8_t *pixels)
{
    uint32_t inputs = run->inputs;
    uint32_t unaligned = (0u - (uint32_t)(uintptr_t)pixels) & 3u;
    uint32_t *blank = run->workspace;
    half_t *heads = heads_of(run);
    half_t *links = run->links;
    uint32_t i = unaligned < inputs ? unaligned : inputs;
    uint32_t end = i + ((inputs - i) & ~3u);

    for (uint32_t *end_of_heads = blank + HEADS_WORDS; blank != end_of_heads;) {
        *blank++ = inputs | inputs << 16; /* no pixel */
        *blank++ = inputs | inputs << 16;
        *blank++ = inputs | inputs << 16;
        *blank++ = inputs | inputs << 16;
        KEEP_LOOP();
    }
    for (uint32_t k = 0; k < i; k++) {
        link_pixel(heads, links + k, k, pixels[k]);
    }
    const word_t *four = (const word_t *)(const void *)(pixels + i);
    const word_t *end_of_fours = (const word_t *)(const void *)(pixels + end);
    while (four != end_of_fours) { /* four at a time, for most pixels are black */
        if (*four++ != 0u) {
            const uint8_t *one = (const uint8_t *)four - 4;
            i = (uint32_t)(one - pixels);
            half_t *link = links + i;
            link_pixel(heads, link, i, one[0]);
            link_pixel(heads, link + 1, ++i, one[1]);
            link_pixel(heads, link + 2, ++i, one[2]);
            link_pixel(heads, link + 3, ++i, one[3]);
        }
    }
    for (uint32_t k = end; k < inputs; k++) {
        link_pixel(heads, links + k, k, pixels[k]);
    }
    for (uint32_t intensity = 255; intensity > run->network->intensity_max; intensity--) {
        if (heads[intensity] != inputs) {
            return BS4NN_ERROR_PIXEL;
        }
    }
    heads[0] = 0; /* where the search for the next intensity ends */
    return 0;
}

/*
 * Go on to the next intensity that a pixel has, find the step of the one after it without a division
 * (equation 1), and put its pixels into the chain of the first layer.
 */
static void next_intensity(run_t *run)
{
    uint32_t none = run->inputs;
    uint32_t intensity_max = run->network->intensity_max;
    uint32_t intensity = run->intensity;
    half_t *heads = heads_of(run);
    while (heads[intensity] == none) {
        intensity--;
    }
    uint32_t darker = run->intensity - intensity;
    run->intensity = intensity;
    uint32_t step = run->step_after + run->quotient_a_unit * darker;
    uint32_t remainder = run->remainder + run->remainder_a_unit * darker;
    while (remainder >= intensity_max) {
        remainder -= intensity_max;
        step++;
    }
    run->remainder = remainder;
    run->step = run->step_after;
    run->step_after = step;
    uint32_t linked = run->linked_after;
    run->linked = linked;
    if (intensity != 0u) {
        half_t *links = run->links;
        uint32_t i = heads[intensity];
        uint32_t last = run->last;
        heads[intensity] = (uint16_t)none;
        links[last] = (uint16_t)i;
        do {
            linked++;
            last = i;
            i = links[i];
        } while (i != none);
        run->last = last;
        run->linked_after = linked;
    }
}

/* ---- Bit-sliced arithmetic ---- */

/* Sum of three numbers of 0 or 1 in every lane, and the carry: a full adder. */
static inline uint32_t full_add(uint32_t a, uint32_t b, uint32_t c, uint32_t *carry)
{
    uint32_t half = a ^ b;
    *carry = (a & b) | (half & c);
    return half ^ c;
}

/* ---- The output layer ---- */

/* Rows of the batch that have yet to be counted. */
static inline uint32_t waiting(const run_t *run)
{
    return (uint32_t)(run->slot - run->output_batch);
}

/* Spikes that have arrived at the output layer. */
static inline uint32_t output_arrived(const run_t *run)
{
    return run->output_counted + waiting(run);
}

/* Count the rows of the batch. */
static APART void count_batch(run_t *run)
{
    const bs4nn_output_t *output = &run->network->output;
    uint32_t *planes = run->output_planes;
    uint32_t *row = run->output_batch;
    uint32_t rows = waiting(run);
    if (rows == 0u) {
        return;
    }
    run->output_counted += rows;
    run->slot = row;
    for (uint32_t w = 0; w < output_words(output); w++) {
        uint32_t carry_a, carry_b, carry_c, carry_d, fours_a, fours_b, eights;
        for (uint32_t k = rows; k < BATCH; k++) {
            row[k] = 0;
            KEEP_LOOP();
        }
        uint32_t ones = full_add(planes[0], row[0], row[1], &carry_a);
        ones = full_add(ones, row[2], row[3], &carry_b);
        uint32_t twos = full_add(planes[1], carry_a, carry_b, &fours_a);
        ones = full_add(ones, row[4], row[5], &carry_c);
        planes[0] = full_add(ones, row[6], row[7], &carry_d);
        planes[1] = full_add(twos, carry_c, carry_d, &fours_b);
        planes[2] = full_add(planes[2], fours_a, fours_b, &eights);
        for (uint32_t *plane = planes + 3; eights != 0u; plane++) {
            *plane ^= eights;
            eights &= ~*plane;
        }
        planes += output->planes;
        row += BATCH;
    }
}

/* Let the spike of input `i` arrive; nobody looks yet. */
static inline void arrive_output(run_t *run, uint32_t i)
{
    const bs4nn_output_t *output = &run->network->output;
    uint32_t halfwords = output->halfwords;
    const uint16_t *row = output->rows + i * halfwords;
    uint32_t *batch = run->slot;
    for (; halfwords > 1u; halfwords -= 2u) {
        *batch = row[0] | (uint32_t)row[1] << 16;
        row += 2;
        batch += BATCH;
    }
    if (halfwords != 0u) {
        *batch = row[0];
    }
    run->slot++;
    if (waiting(run) == BATCH) {
        count_batch(run);
    }
}

/* The highest counter among the lanes of `mask`, which is not empty. */
static uint32_t highest_counter(const uint32_t *planes, uint32_t count, uint32_t mask)
{
    uint32_t highest = 0;
    for (uint32_t p = count; p-- > 0u;) {
        uint32_t set = mask & planes[p];
        highest <<= 1;
        if (set != 0u) {
            mask = set;
            highest++;
        }
    }
    return highest;
}

/* The lanes whose counters are at least `level`. */
static uint32_t lanes_at_least(const uint32_t *planes, uint32_t count, uint32_t level)
{
    uint32_t lanes = UINT32_MAX;
    if (level >> count != 0u) {
        return 0;
    }
    for (uint32_t p = 0; p < count; p++) {
        lanes = (level >> p & 1u) != 0u ? lanes & planes[p] : lanes | planes[p];
    }
    return lanes;
}

/* Potential of output neuron j. */
static int32_t output_potential(const run_t *run, uint32_t j)
{
    const bs4nn_output_t *output = &run->network->output;
    const uint32_t *planes = run->output_planes + j / WORD_BITS * output->planes;
    uint32_t lead = output->thresholds != NULL ? (uint32_t)(output->threshold - output->thresholds[j]) >> 1 : 0u;
    uint32_t counter = highest_counter(planes, output->planes, (uint32_t)1u << (j % WORD_BITS)) - lead;
    return (int32_t)(2u * counter) - (int32_t)output_arrived(run);
}

/* Output neurons of word w fire, `fired` of them; the first ones decide. */
static COLD void fire_output(run_t *run, uint32_t w, uint32_t fired, uint32_t firing_time, int32_t *highest)
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

/* Input and hidden spikes so far. */
static uint32_t spikes_so_far(const run_t *run)
{
    uint32_t layers = run->network->hidden_layers;
    uint32_t spikes = run->delivered + (layers != 0u ? output_arrived(run) : 0u);
    for (uint32_t l = 1; l < layers; l++) {
        spikes += counts_of(run, l)[SENT];
    }
    return spikes;
}

/* Look at the output neurons after everything has arrived at this step. */
static COLD void look_at_output(run_t *run, uint32_t firing_time)
{
    const bs4nn_output_t *output = &run->network->output;
    uint32_t n = output_arrived(run);
    uint32_t nearest = UINT32_MAX;
    int32_t highest = INT32_MIN;

    count_batch(run);
    for (uint32_t w = 0; w < output_words(output); w++) {
        const uint32_t *planes = run->output_planes + w * output->planes;
        uint32_t odd = run->output_alive[output_words(&run->network->output) + w];
        uint32_t alive = run->output_alive[w];
        uint32_t reach = 2u * highest_counter(planes, output->planes, alive) + (odd != 0u);
        if (reach >= n + output->threshold) {
            uint32_t fired = lanes_at_least(planes, output->planes, (n + output->threshold + 1u) >> 1);
            fired |= lanes_at_least(planes, output->planes, (n + output->threshold) >> 1) & odd;
            fire_output(run, w, fired & alive, firing_time, &highest);
            alive = run->output_alive[w];
            reach = 2u * highest_counter(planes, output->planes, alive) + (odd != 0u);
        }
        if (alive != 0u) {
            uint32_t gap = n + output->threshold > reach ? n + output->threshold - reach : 1u;
            nearest = gap < nearest ? gap : nearest;
        }
    }
    run->output_due = nearest == UINT32_MAX ? UINT32_MAX : n + nearest;
    if (highest != INT32_MIN && !run->decided) {
        run->decided = 1;
        run->finished = run->trace == NULL;
        run->result.response_time = (uint16_t)firing_time;
        run->result.spikes = spikes_so_far(run);
    }
}

/* The potentials that decide if nobody fires. */
static COLD void read_out(run_t *run)
{
    int32_t highest = INT32_MIN;
    uint32_t best = 0;
    count_batch(run);
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

/* What is the same for all words of a layer: always, at a step, and for the word that is looked at. */
typedef struct {
    /* All up to `run` are known to bs4nn_cortex_m.S, too. */
    const half_t *links;
    uint32_t n;        /* spikes that have arrived */
    half_t *ring;      /* of every spike the first word that is due at it */
    uint32_t eighths;  /* (n + threshold + 1) >> 1, the count that fires, in eights, and ... */
    uint32_t shift;    /* threshold + 1, and what the counters have been set up for */
    uint32_t top;      /* planes in use */
    uint32_t *records;
    const uint32_t *columns;
    uint32_t stride;   /* bytes of a record and its planes */
    uint32_t height;   /* bytes of a column */
    uint32_t level;    /* ... what the eights leave */
    uint32_t past;     /* so many new spikes that a counter may have gone past 7 */
    uint32_t sooner;   /* spikes less than twice the lack that let a neuron fire */
    uint32_t ahead;    /* the next spikes that are known, PEEK at the most */
    uint32_t positive; /* alive lanes from 0 on, and ... */
    uint32_t minus;    /* ... those from -8 to -1 */
    uint32_t nearest;  /* those among them that lack least */
    uint32_t direct;   /* swift, and spikes arrive in time */
    const uint16_t *rows; /* of the output layer */
    run_t *run;

    const bs4nn_hidden_t *layer;
    uint32_t *counts;
    uint32_t odd;      /* 1 if thresholds differ */
    uint32_t swift;    /* one threshold, an output layer of one half-word next, and nobody traces */
    uint32_t threshold;
    uint32_t l;
    uint32_t enough;   /* spikes that let somebody fire, at the earliest */
    uint32_t limit;    /* the planes in use hold the counters up to so many spikes */
    uint32_t firing_time;
} layer_t;

/* Refuses to compile where bs4nn_cortex_m.S would look in the wrong place. */
#if BS4NN_ASSEMBLY
typedef char layer_t_is_as_assembly_has_it[offsetof(layer_t, run) == 76u && RECORD == 3u ? 1 : -1];
typedef char run_t_is_as_assembly_has_it[offsetof(run_t, on_their_way) == 16u && BATCH == 8u ? 1 : -1];
#endif

static inline uint32_t *record_of(const layer_t *at, uint32_t w)
{
    return (uint32_t *)(void *)((uint8_t *)at->records + w * at->stride);
}

/* Write the firing times of neurons of a word into the trace; `first` is its first neuron. */
static COLD void note_firing_times(const layer_t *at, uint32_t first, uint32_t fired)
{
    const run_t *run = at->run;
    uint16_t *times = run->trace->firing_times + first;
    for (uint32_t k = 0; k < at->l; k++) {
        times += run->network->hidden[k].neurons;
    }
    for (; fired != 0u; fired &= fired - 1u) {
        times[lowest_bit(fired)] = (uint16_t)at->firing_time;
    }
}

/* Neurons of word w fire, `fired` of them, at least one: hand their spikes to the layer above. */
static COLD void fire_hidden(const layer_t *at, uint32_t w, uint32_t fired)
{
    run_t *run = at->run;
    uint32_t first = w * WORD_BITS;
    if (run->trace != NULL) {
        note_firing_times(at, first, fired);
    }
    if (at->l + 1u < run->network->hidden_layers) {
        uint32_t *counts = counts_of(run, at->l + 1u);
        half_t *links = links_of(run, at->l + 1u);
        uint32_t last = counts[LAST];
        for (; fired != 0u; fired &= fired - 1u) {
            uint32_t i = first + lowest_bit(fired);
            links[last] = (uint16_t)i;
            last = i;
            counts[SENT]++;
        }
        counts[LAST] = last;
    } else {
        for (; fired != 0u; fired &= fired - 1u) {
            arrive_output(run, first + lowest_bit(fired));
        }
    }
}

#if !BS4NN_ASSEMBLY
/* The same for the most frequent case. */
static APART void fire_direct(run_t *run, uint32_t w, uint32_t fired)
{
    const uint16_t *rows = run->network->output.rows + w * WORD_BITS;
    uint32_t *end = run->output_batch + BATCH;
    uint32_t *slot = run->slot;
    do {
        *slot++ = rows[lowest_bit(fired)];
        fired &= fired - 1u;
        if (slot == end) {
            run->slot = slot;
            count_batch(run);
            slot -= BATCH;
        }
    } while (fired != 0u);
    run->slot = slot;
}
#endif

/*
 * Find the alive lanes that lack least to the level, and return how much: they are, if there are any, among the
 * positive ones, which lack 8 less than those from -8 to -1; without those either all are far off.
 */
static inline uint32_t find_nearest(layer_t *at, uint32_t alive, uint32_t p0, uint32_t p1, uint32_t p2)
{
    uint32_t lanes = at->positive;
    uint32_t lack = at->level;
    uint32_t x;
    if (lanes == 0u) {
        lanes = at->minus;
        lack += 8u;
        if (lanes == 0u) {
            at->nearest = alive;
            return lack + 1u;
        }
    }
    x = lanes & p2;
    if (x != 0u) {
        lanes = x;
        lack -= 4u;
    }
    x = lanes & p1;
    if (x != 0u) {
        lanes = x;
        lack -= 2u;
    }
    x = lanes & p0;
    if (x != 0u) {
        lanes = x;
        lack -= 1u;
    }
    at->nearest = lanes;
    return lack;
}

/* Let a word catch up with all spikes. Returns how much its best neurons lack to the level, 0 or less if they fire. */
#if !BS4NN_ASSEMBLY
/* Subtract 8 in all lanes, from plane 3 on. */
static APART void drop_eight(uint32_t *planes, uint32_t top)
{
    uint32_t borrow = UINT32_MAX;
    for (uint32_t p = 3; p < top; p++) {
        planes[p] ^= borrow;
        borrow &= planes[p];
    }
}

static APART uint32_t catch_up(layer_t *at, uint32_t *record, const uint32_t *column)
{
#define ROW(x) \
    i = links[i]; \
    x = column[i]
#define PAIR(carry) \
    ROW(a); \
    ROW(b); \
    p0 = full_add(p0, a, b, &(carry))
#define UP(p) \
    x = planes[p] ^ carry; \
    planes[p] = x; \
    carry &= ~x
#define DOWN(p) \
    x = planes[p] ^ carry; \
    planes[p] = x; \
    carry &= x
    uint32_t *planes = record + RECORD;
    const half_t *links = at->links;
    uint32_t i = record[SEEN] & 0xFFFFu;
    uint32_t count = record[SEEN] >> 16;
    uint32_t n = at->n;
    uint32_t drop = at->eighths - ((count + at->shift) >> 4);
    uint32_t p0 = planes[0];
    uint32_t p1 = planes[1];
    uint32_t p2 = planes[2];
    uint32_t a, b, c1, c2, d1, d2, carry, x;
    count = n - count;
    while (count >= 8u) {
        PAIR(c1);
        PAIR(c2);
        p1 = full_add(p1, c1, c2, &d1);
        PAIR(c1);
        PAIR(c2);
        p1 = full_add(p1, c1, c2, &d2);
        p2 = full_add(p2, d1, d2, &carry);
        count -= 8u;
        if (count == 0u) {
            goto counted;
        }
        UP(3);
        UP(4);
        UP(5);
        UP(6);
        for (uint32_t p = MIN_PLANES; carry != 0u && p < at->top; p++) {
            UP(p);
        }
    }
    d1 = 0;
    d2 = 0;
    if ((count & 4u) != 0u) {
        PAIR(c1);
        PAIR(c2);
        p1 = full_add(p1, c1, c2, &d1);
    }
    if ((count & 2u) != 0u) {
        PAIR(c1);
        d2 = p1 & c1;
        p1 ^= c1;
    }
    if ((count & 1u) != 0u) {
        ROW(a);
        c1 = p0 & a;
        p0 ^= a;
        d2 |= p1 & c1; /* not in a lane where it was set before: a plane and two carries are three at the most */
        p1 ^= c1;
    }
    p2 = full_add(p2, d1, d2, &carry);
counted:
    record[SEEN] = i | n << 16;
    planes[0] = p0;
    planes[1] = p1;
    planes[2] = p2;
    uint32_t alive = record[ALIVE];
    uint32_t minus = alive;
    if (drop == 0u) {
        UP(3);
        minus &= x;
        UP(4);
        minus &= x;
        UP(5);
        minus &= x;
        UP(6);
        minus &= x;
        for (uint32_t p = MIN_PLANES; p < at->top; p++) {
            UP(p);
            minus &= x;
        }
    } else {
        for (; drop > 1u; drop--) {
            drop_eight(planes, at->top);
        }
        carry = ~carry;
        DOWN(3);
        minus &= x;
        DOWN(4);
        minus &= x;
        DOWN(5);
        minus &= x;
        DOWN(6);
        minus &= x;
        for (uint32_t p = MIN_PLANES; p < at->top; p++) {
            DOWN(p);
            minus &= x;
        }
    }
    at->minus = minus;
    at->positive = alive & ~x;
    return find_nearest(at, alive, p0, p1, p2);
}

#endif

/* The neurons of word w that an odd distance lets fire with one less than the others, after `eights` as below. */
static COLD uint32_t firing_odd(const layer_t *at, const uint32_t *planes, uint32_t w, uint32_t eights)
{
    const bs4nn_hidden_t *layer = at->layer;
    uint32_t odd = layer->start[(w + 1u) * (layer->start_planes + 1u) - 1u];
    if (((at->n + at->threshold) & 1u) == 0u) {
        return 0;
    }
    return odd & (at->level != 0u ? at->positive & (eights | lanes_at_least(planes, 3, at->level - 1u))
                                  : at->minus & planes[0] & planes[1] & planes[2]);
}

/* Neurons of a word may fire. Returns after how many more spikes others could, or 0 if none is left. */
#if BS4NN_ASSEMBLY
uint32_t bs4nn_fire_word(layer_t *at, uint32_t *record, uint32_t w);
#define fire_word bs4nn_fire_word
#else
static
#endif
APART uint32_t fire_word(layer_t *at, uint32_t *record, uint32_t w)
{
    const uint32_t *planes = record + RECORD;
    uint32_t p0 = planes[0];
    uint32_t p1 = planes[1];
    uint32_t p2 = planes[2];
    uint32_t alive = record[ALIVE];
    uint32_t level = at->level;
    uint32_t eights = 0;
    if (at->past) {
        for (uint32_t p = 3; p < at->top; p++) {
            eights |= planes[p];
        }
    }
    /* Those whose counter is at least the level: plane by plane, from the lowest. */
    uint32_t fired = (level & 1u) != 0u ? p0 : UINT32_MAX;
    fired = (level & 2u) != 0u ? fired & p1 : fired | p1;
    fired = (level & 4u) != 0u ? fired & p2 : fired | p2;
    fired = at->positive & (eights | fired);
    if (at->odd != 0u) {
        fired |= firing_odd(at, planes, w, eights);
    }
    if (fired != 0u) {
        alive &= ~fired;
        record[ALIVE] = alive;
        if (at->firing_time < at->run->network->time_steps) { /* else too late to arrive anywhere */
#if !BS4NN_ASSEMBLY
            if (at->direct) {
                fire_direct(at->run, w, fired);
            } else
#endif
            {
                fire_hidden(at, w, fired);
            }
            at->run->on_their_way = 1;
        }
        if (alive == 0u) {
            return 0;
        }
        at->positive &= alive;
        at->minus &= alive;
    }
    uint32_t gap = 2u * find_nearest(at, alive, p0, p1, p2) - at->sooner;
    if ((int32_t)gap <= 0) { /* it was the odd ones that might have fired */
        gap = 1u;
        at->nearest = UINT32_MAX;
    }
    return gap;
}

/* Set up the counters of a layer for the first look, and link all its words. */
static COLD void set_up(const layer_t *at)
{
    const bs4nn_hidden_t *layer = at->layer;
    const uint32_t *start = layer->start;
    uint32_t *record = at->records;
    uint32_t words = layer->words;
    for (uint32_t w = 1; w <= words; w++) {
        uint32_t *plane = record + RECORD;
        uint32_t *end = plane + at->top;
        uint32_t below = at->eighths; /* the counters start at minus that many eights */
        record[ALIVE] = UINT32_MAX;
        record[NEXT] = w;
        record[SEEN] = layer->inputs;
        plane[0] = plane[1] = plane[2] = 0;
        plane += 3;
        below = 0u - below;
        do {
            *plane++ = 0u - (below & 1u);
            below >>= 1;
        } while (plane != end);
        if (start != NULL) { /* add the leads */
            uint32_t carry = 0;
            plane = record + RECORD;
            for (uint32_t p = 0; p < at->top; p++) {
                plane[p] = full_add(plane[p], p < layer->start_planes ? start[p] : 0u, carry, &carry);
            }
            start += layer->start_planes + 1u;
        }
        record = end + (layer->planes - at->top);
    }
    record = record_of(at, words - 1u);
    record[NEXT] = NO_WORD;
    if (layer->neurons % WORD_BITS != 0u) {
        record[ALIVE] = ((uint32_t)1u << layer->neurons % WORD_BITS) - 1u;
    }
}

/* Put down all words that have a neuron left as due. Returns the first; the others follow by NEXT. */
static COLD uint32_t all_due(const layer_t *at)
{
    uint32_t next = NO_WORD;
    for (uint32_t k = 0; k < RING; k++) {
        at->ring[k] = NO_WORD;
        KEEP_LOOP();
    }
    for (uint32_t w = at->layer->words; w-- > 0u;) {
        uint32_t *record = record_of(at, w);
        if (record[ALIVE] != 0u) {
            record[NEXT] = next;
            next = w;
        }
    }
    return next;
}

/* Take more planes, for n spikes; the sign extends into them. */
static COLD void add_planes(layer_t *at)
{
    while (at->n > at->limit) {
        if (at->counts[TOP] != 0u) {
            for (uint32_t w = 0; w < at->layer->words; w++) {
                uint32_t *sign = record_of(at, w) + RECORD + at->top - 1u;
                sign[1] = sign[0];
            }
        }
        at->top++;
        at->limit = spikes_held(at->layer, at->top);
    }
}

/* What stays the same for hidden layer l. */
static COLD void enter_layer(layer_t *at, run_t *run, uint32_t l)
{
    const bs4nn_hidden_t *layer = &run->network->hidden[l];
    at->run = run;
    at->rows = run->network->output.rows;
    at->layer = layer;
    at->links = links_of(run, l);
    at->counts = counts_of(run, l);
    at->ring = (half_t *)(at->counts + COUNTS);
    at->records = at->counts + COUNTS + RING_WORDS;
    at->stride = (RECORD + layer->planes) * (uint32_t)sizeof(uint32_t);
    at->columns = layer->columns;
    at->height = layer->inputs * (uint32_t)sizeof(uint32_t);
    at->odd = layer->start != NULL;
    at->threshold = layer->threshold;
    at->l = l;
    at->top = at->counts[TOP];
    if (at->top == 0u) {
        at->top = MIN_PLANES;
    }
    at->limit = spikes_held(layer, at->top);
    at->swift = l + 1u == run->network->hidden_layers && run->network->output.halfwords == 1u && run->trace == NULL
             && at->odd == 0u;
    at->enough = 2u * layer->spread + at->odd;
    at->enough = at->threshold > at->enough ? at->threshold - at->enough : 0u;
}

/* Look at word w and at those that are linked to it. Each is put down for when it is due next. */
#if BS4NN_ASSEMBLY
void bs4nn_look_at_list(layer_t *at, uint32_t w);
#define look_at_list bs4nn_look_at_list
#else
static APART void look_at_list(layer_t *at, uint32_t w)
{
    do {
        uint32_t *record = record_of(at, w);
        const uint32_t *column = at->columns + w * at->layer->inputs;
        uint32_t next = record[NEXT];
        uint32_t gap = 2u * catch_up(at, record, column) - at->sooner;
        if ((int32_t)gap <= 0 || (at->past && at->positive != 0u)) {
            gap = fire_word(at, record, w);
            if (gap == 0u) { /* nobody left: never put down again */
                w = next;
                continue;
            }
        }
        /* If every neuron that could fire next is going to meet a synapse of -1 before, it is two spikes later. */
        if (at->ahead != 0u) {
            uint32_t lanes = at->nearest;
            uint32_t left = gap < at->ahead ? gap : at->ahead;
            uint32_t i = record[SEEN] & 0xFFFFu;
            do {
                i = at->links[i];
                lanes &= column[i];
                if (lanes == 0u) {
                    gap += 2u;
                    break;
                }
            } while (--left != 0u);
        }
        if (gap > FAR) {
            gap = FAR;
        }
        half_t *slot = &at->ring[(at->n + gap) % RING];
        record[NEXT] = *slot;
        *slot = (uint16_t)w;
        w = next;
    } while (w != NO_WORD);
}
#endif

/* What all words that are looked at now have in common; `fresh` spikes have come since the last look at any. */
static inline void prepare(layer_t *at, uint32_t fresh)
{
    const run_t *run = at->run;
    uint32_t ahead = at->l == 0u ? run->linked_after - at->n : 0u;
    uint32_t level = at->n + at->threshold + 1u;
    at->eighths = level >> 4;
    at->level = level >> 1 & 7u;
    at->past = at->level + (fresh >> 1) >= 8u;
    at->sooner = (~level & 1u) + at->odd;
    at->ahead = ahead < PEEK ? ahead : PEEK;
    at->shift = at->threshold + 1u;
    at->direct = at->swift && at->firing_time < run->network->time_steps;
    if (at->n > at->limit) {
        add_planes(at);
    }
}

/* Look at all words, since some have never been looked at, or are no longer in the ring. */
static COLD void look_at_all_words(layer_t *at, uint32_t fresh)
{
    uint32_t w = 0;
    prepare(at, fresh);
    if (at->counts[TOP] == 0u) {
        set_up(at);
        at->shift += at->n;
    } else {
        w = all_due(at);
    }
    at->counts[TOP] = at->top;
    if (w != NO_WORD) {
        look_at_list(at, w);
    }
}

/* Look at the words of a layer that are due, after n spikes. */
static APART void look_at_words(layer_t *at)
{
    uint32_t n = at->n;
    uint32_t k = at->counts[ARRIVED];
    uint32_t fresh = n - k;
    half_t *ring = at->ring;
    at->counts[ARRIVED] = n;
    if (at->counts[TOP] == 0u || fresh > FAR) { /* nobody is put down for later than that */
        look_at_all_words(at, fresh);
        return;
    }
    do {
        k++;
        uint32_t w = ring[k % RING];
        if (w != NO_WORD) {
            ring[k % RING] = NO_WORD;
            prepare(at, fresh);
            at->counts[TOP] = at->top;
            look_at_list(at, w);
        }
    } while (k != n);
}

/* ---- One step ---- */

/* Everything that happens at hidden layer l at one step. */
static inline void run_layer(run_t *run, layer_t *at, uint32_t l, uint32_t step)
{
    if (at->l != l) {
        enter_layer(at, run, l);
    }
    at->n = l == 0u ? run->delivered : at->counts[SENT];
    if (at->n != at->counts[ARRIVED] && at->n >= at->enough) {
        at->firing_time = step + run->network->delay;
        look_at_words(at);
    }
}

static inline void run_output(run_t *run, uint32_t step)
{
    if (output_arrived(run) >= run->output_due) {
        uint32_t firing_time = step + run->network->delay;
        if (firing_time < run->network->time_steps) {
            look_at_output(run, firing_time);
        }
    }
}

/*
 * One step, all layers. Without delay a spike travels up within the step, so layers go from the input side
 * up; with a delay of one step each layer takes what fired below it at the step before, so they go from the
 * output side down.
 */
static inline void run_step(run_t *run, layer_t *at, uint32_t step)
{
    const bs4nn_network_t *network = run->network;
    uint32_t layers = network->hidden_layers;
    uint32_t delayed = network->delay != 0u && layers != 0u;
    uint32_t l = 0;
    uint32_t up = 1;
    if (delayed) {
        if (run->on_their_way) {
            run->on_their_way = 0;
            run_output(run, step);
        }
        if (step == network->readout_step) {
            read_out(run); /* before this step's hidden spikes, which arrive at the next one */
        }
        if (run->finished) {
            return;
        }
        l = layers - 1u;
        up = UINT32_MAX;
    }
    for (; l < layers; l += up) {
        run_layer(run, at, l, step);
    }
    if (!delayed && (run->on_their_way || layers == 0u)) {
        run->on_their_way = 0;
        run_output(run, step);
    }
}

/* Let the pixels of the next intensity fire. */
static void deliver(run_t *run)
{
    uint32_t count = run->linked - run->delivered;
    run->delivered = run->linked;
    if (run->network->hidden_layers == 0u) {
        for (; count != 0u; count--) {
            run->newest = run->links[run->newest];
            arrive_output(run, run->newest);
        }
    }
    next_intensity(run);
}

/* ---- One image ---- */

static void run_image(run_t *run)
{
    const bs4nn_network_t *network = run->network;
    uint32_t never = network->time_steps;
    uint32_t step = 0; /* the earliest one that has not been visited */
    layer_t at;

    at.l = UINT32_MAX; /* no layer yet */

    next_intensity(run);
    next_intensity(run);
    for (;;) {
        if (!run->on_their_way) {
            step = run->step;
        }
        if (!run->read_out && step > network->readout_step) {
            read_out(run);
        }
        if (step >= never) {
            return;
        }
        while (run->step == step) {
            deliver(run);
        }
        run_step(run, &at, step);
        if (run->finished) {
            return;
        }
        step++;
    }
}

static COLD void reset_hidden(const run_t *run, uint32_t l)
{
    const bs4nn_hidden_t *layer = &run->network->hidden[l];
    uint32_t *counts = counts_of(run, l);
    counts[ARRIVED] = 0;
    counts[SENT] = 0;
    counts[LAST] = layer->inputs;
    counts[TOP] = 0;
    for (uint32_t i = COUNTS; i < COUNTS + RING_WORDS; i++) {
        counts[i] = NO_WORD | NO_WORD << 16;
        KEEP_LOOP();
    }
}

static COLD void reset_output(run_t *run)
{
    const bs4nn_output_t *output = &run->network->output;
    uint32_t words = output_words(output);
    for (uint32_t i = 0; i < words * (output->planes + 2u); i++) {
        run->output_planes[i] = 0;
        KEEP_LOOP();
    }
    run->output_alive = run->output_planes + words * output->planes;
    run->output_batch = run->output_alive + 2u * words;
    run->slot = run->output_batch;
    for (uint32_t j = 0; j < output->neurons; j++) {
        uint32_t w = j / WORD_BITS;
        uint32_t bit = (uint32_t)1u << (j % WORD_BITS);
        run->output_alive[w] |= bit;
        if (output->thresholds != NULL) {
            uint32_t distance = (uint32_t)(output->threshold - output->thresholds[j]);
            run->output_alive[output_words(&run->network->output) + w] |= (distance & 1u) != 0u ? bit : 0u;
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
    run.trace = trace;
    run.inputs = bs4nn_inputs(network);
    run.links = (half_t *)(net->workspace + HEADS_WORDS);
    run.output_planes = net->workspace + HEADS_WORDS + links_words(run.inputs);
    run.last = run.inputs;
    run.newest = run.last;
    run.intensity = network->intensity_max;
    run.quotient_a_unit = (uint32_t)network->time_steps / network->intensity_max;
    run.remainder_a_unit = (uint32_t)network->time_steps % network->intensity_max;
    run.result.response_time = network->time_steps;

    int error = sort_image(&run, pixels);
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
