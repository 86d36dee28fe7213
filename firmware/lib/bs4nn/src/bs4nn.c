/*
 * bs4nn.c - the portable kernel: event-driven, bit-sliced, lazy, exact.
 *
 * Event-driven: pixels are sorted by intensity, and only steps at which a spike arrives are visited. spikes[k] is
 * the index of a layer's k-th spike.
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
 * adders; taking 8 off costs nothing, for a carry is turned into what makes up for it. Two bits a and b that are
 * to be added travel as a and a ^ b, which spares the adders of the next plane an operation or two.
 *
 * Neurons with other thresholds start with a lead: with `highest` the layer's highest threshold and
 * highest - threshold = 2 lead + odd, the same comparison holds for c + lead, and one less will do where the
 * distance is odd and n + highest is, too.
 *
 * Lazy: every spike moves a potential by one, so a word whose neurons all lack g to their thresholds need not be
 * looked at for g spikes; nor for two more if each of its nearest neurons meets a synapse of -1 among the
 * next g, where those are known. It is put down for the spike at which it is due, catches up then with all
 * that it has missed, and is put down again.
 */
#include "bs4nn_layout.h"

#if BS4NN_ASSEMBLY
#include "bs4nn_cortex_m.h"
#endif

#define NO_WORD 0xFFFFu

#if defined(__GNUC__)
typedef uint32_t __attribute__((__may_alias__)) word_t; /* four pixels */
/* Keeps registers free for what is done most often. */
#define APART __attribute__((__noinline__))
#define ALWAYS_INLINE inline __attribute__((__always_inline__))
/*
 * KEEP_HERE(x): what is computed from x stays behind, what x is made of before this place. Compilers compute too much
 * ahead, or one more time, and run out of registers; where a KEEP_HERE stands, it has been found to make code faster.
 */
#if defined(__thumb__) && !defined(__thumb2__) /* most instructions reach eight registers only */
#define FEW_REGISTERS 1
#define KEEP_HERE(x) __asm__ volatile("" : "+l"(x)) /* in one of the eight */
#define KEEP_IF_ROOM(x) ((void)0)
#define IN_PLACE_IF_ROOM APART
#else
#define FEW_REGISTERS 0
#define KEEP_HERE(x) __asm__ volatile("" : "+r"(x))
#define KEEP_IF_ROOM(x) KEEP_HERE(x)
#define IN_PLACE_IF_ROOM ALWAYS_INLINE
#endif
#else
typedef uint32_t word_t;
#define APART
#define ALWAYS_INLINE inline
#define FEW_REGISTERS 0
#define KEEP_HERE(x) ((void)0)
#define KEEP_IF_ROOM(x) ((void)0)
#define IN_PLACE_IF_ROOM inline
#endif

/*
 * A hidden layer's state in the workspace; bs4nn_init checks the layout. First the counts, then the ring (for
 * every spike the first word that is due at it), then the records of the words, then, but for the first layer,
 * the spikes that have been sent to it.
 */
#define ARRIVED 0u /* spikes that had arrived when words were looked at last; 0: nothing is set up */
#define SENT 1u    /* spikes that have been sent to it */
#define DUE 2u     /* the spike at which a word has to be looked at */
#define TOP 3u     /* planes that the counters need by now; the highest is the sign */

/* The record of a word of neurons; its bit planes follow. */
#define ALIVE 0u /* set bits have not fired yet */
#define NEXT 1u  /* the next word that is due at the same spike; in the upper half how many spikes have been counted */
#define SEEN 0xFFFF0000u /* the upper half of NEXT */

/* One inference. */
typedef struct {
    /* The first five are known to bs4nn_cortex_m.S, too. */
    uint32_t *output_batch;     /* words x BATCH rows that have yet to be counted */
    uint32_t *slot;             /* where the next one goes */
    uint32_t output_counted;    /* spikes to the output layer that have been counted */
    uint32_t *output_planes;    /* words x planes of the output layer */
    uint32_t on_their_way;      /* hidden spikes of the step before have yet to arrive */

    const bs4nn_network_t *network;
    const bs4nn_layer_t *output;
    const uint16_t *rows;       /* of the output layer, so many ... */
    uint32_t halfwords;         /* ... half-words each */
    uint32_t *workspace;
    const bs4nn_trace_t *trace; /* NULL: stop with the first output spike */
    uint32_t inputs;            /* pixels */
    half_t *spikes;             /* those that are not black, the brightest first */
    const half_t *place;        /* of the brightest intensity that has not been delivered (see sort_image) ... */
    uint32_t step;              /* ... floor((intensity_max - intensity) * T / intensity_max), with ... */
    uint32_t remainder;         /* ... what the division leaves */
    uint32_t steps_a_unit;      /* as in the network */
    uint32_t remainder_a_unit;
    uint32_t *output_alive;     /* words; then, in as many, the odd distances (see bs4nn_layer_t) */
    uint32_t known;             /* pixels that are not black */
    uint32_t delivered;         /* pixels that have fired, and ... */
    uint32_t fresh;             /* ... those of them at this step */
    uint32_t output_due;        /* spike at which an output neuron could reach its threshold */
    bs4nn_result_t result;
    uint8_t decided;            /* an output neuron has fired, and ... */
    uint8_t finished;           /* ... that is all that is asked for */
    uint8_t read_out;           /* the readout step has passed */
} BS4NN_ALIGNED run_t;

static uint32_t *counts_of(const run_t *run, uint32_t l)
{
    return run->workspace + run->network->layers[l].state;
}

static half_t *spikes_of(const run_t *run, uint32_t l)
{
    const bs4nn_layer_t *layer = &run->network->layers[l];
    return l == 0u ? run->spikes
                   : (half_t *)(counts_of(run, l) + COUNTS + RING_WORDS
                                + (uint32_t)layer->words * (RECORD + layer->planes));
}

/* ---- Encoding: pixels to spikes ---- */

/*
 * Of every intensity first how many pixels have it, then where the next of them goes, and in the end how many
 * pixels have it or are brighter.
 */
static inline half_t *places_of(const run_t *run)
{
    return (half_t *)run->workspace;
}

#if BS4NN_ASSEMBLY
C_NAME uint32_t bs4nn_sort_pixels(half_t *places, half_t *spikes, const uint8_t *pixels, uint32_t inputs);
#define sort_pixels bs4nn_sort_pixels
#else
/* Pixels are counted, or put where they belong. */
typedef enum { COUNT, PUT } task_t;

static ALWAYS_INLINE void take_pixel(half_t *places, half_t *spikes, uint32_t i, uint32_t intensity, task_t task)
{
    uint32_t place = places[intensity];
    if (task == PUT) {
        spikes[place] = (uint16_t)i;
    }
    places[intensity] = (uint16_t)(place + 1u);
}

static ALWAYS_INLINE void take_four(half_t *places, half_t *spikes, const uint8_t *pixels, const uint8_t *first,
                                    task_t task)
{
    if (task == PUT) {
        KEEP_IF_ROOM(first);
    }
    uint32_t i = (uint32_t)(first - pixels);
    take_pixel(places, spikes, i, first[0], task);
    take_pixel(places, spikes, ++i, first[1], task);
    take_pixel(places, spikes, ++i, first[2], task);
    take_pixel(places, spikes, ++i, first[3], task);
}

/* All pixels, but for those of four black ones. */
static ALWAYS_INLINE void take_pixels(half_t *places, half_t *spikes, const uint8_t *pixels, uint32_t inputs,
                                      task_t task)
{
    uint32_t unaligned = (0u - (uint32_t)(uintptr_t)pixels) & 3u;
    uint32_t i = unaligned < inputs ? unaligned : inputs;
    uint32_t end = i + ((inputs - i) & ~7u);
    const uint8_t *eight = pixels + i;
    const uint8_t *end_of_eights = pixels + end;
    for (uint32_t k = 0; k < i; k++) {
        take_pixel(places, spikes, k, pixels[k], task);
    }
    while (eight != end_of_eights) {
        uint32_t first = ((const word_t *)(const void *)eight)[0];
        uint32_t second = ((const word_t *)(const void *)eight)[1];
        if (first != 0u) {
            take_four(places, spikes, pixels, eight, task);
        }
        if (second != 0u) {
            take_four(places, spikes, pixels, eight + 4, task);
        }
        eight += 8;
        KEEP_HERE(eight);
    }
    for (i = end; i < inputs; i++) {
        take_pixel(places, spikes, i, pixels[i], task);
    }
}

/* The place of the next intensity, of which there are `*slot` pixels. Returns that of the one after it. */
static ALWAYS_INLINE uint32_t take_place(half_t *slot, uint32_t place)
{
    uint32_t count = *slot;
    *slot = (uint16_t)place;
    place += count;
    KEEP_HERE(place);
    return place;
}

/* Sort the pixels that are not black, the brightest first, and fill `places`. Returns how many they are. */
static APART uint32_t sort_pixels(half_t *places, half_t *spikes, const uint8_t *pixels, uint32_t inputs)
{
    word_t *blank = (word_t *)(void *)places;
    uint32_t place = 0;
    for (word_t *end = blank + PLACES_WORDS; blank != end; blank += 8) {
        blank[0] = blank[1] = blank[2] = blank[3] = 0;
        blank[4] = blank[5] = blank[6] = blank[7] = 0;
        KEEP_LOOP();
    }
    take_pixels(places, spikes, pixels, inputs, COUNT);
    places[0] = 0;
    do {
        blank -= 2; /* four at a time, for most intensities have no pixel */
        if ((blank[0] | blank[1]) != 0u) {
            half_t *slot = (half_t *)blank;
            place = take_place(slot + 3, place);
            place = take_place(slot + 2, place);
            place = take_place(slot + 1, place);
            place = take_place(slot, place);
        } else {
            blank[0] = blank[1] = place | place << 16;
        }
    } while (blank != (word_t *)(void *)places);
    places[0] = (uint16_t)place;
    take_pixels(places, spikes, pixels, inputs, PUT);
    return place;
}
#endif

/*
 * Sort the pixels that are not black by intensity. A pixel of intensity 0 fires at step T, which is never. Returns 0
 * or a negative error.
 */
static int sort_image(run_t *run, const uint8_t *pixels)
{
    half_t *places = places_of(run);
    uint32_t intensity_max = run->network->intensity_max;
    run->known = sort_pixels(places, run->spikes, pixels, run->inputs);
    if (intensity_max < 255u && places[intensity_max + 1u] != 0u) {
        return BS4NN_ERROR_PIXEL;
    }
    places[0] = UINT16_MAX; /* where every search ends */
    return 0;
}

/* Go on to an intensity that is darker by so much, and find its step without a division (equation 1). */
static ALWAYS_INLINE void go_on(run_t *run, uint32_t darker)
{
    uint32_t intensity_max = run->network->intensity_max;
    uint32_t step = run->step + run->steps_a_unit * darker;
    uint32_t remainder = run->remainder + run->remainder_a_unit * darker;
    while (remainder >= intensity_max) {
        remainder -= intensity_max;
        step++;
    }
    run->place -= darker;
    run->step = step;
    run->remainder = remainder;
}

/* Pass over all intensities at whose end fewer than `due` pixels have fired, for nothing can happen then. */
static inline void pass_over(run_t *run, uint32_t due)
{
    const half_t *place = run->place + 1;
    uint32_t count;
    do {
        count = *--place;
    } while (count < due);
    uint32_t darker = (uint32_t)(run->place - place);
    KEEP_HERE(place);
    if (darker != 0u) {
        run->delivered = place[1];
        go_on(run, darker);
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

/* Two bits a and b in every lane, as a and as a ^ b. */
typedef struct {
    uint32_t one;
    uint32_t differ;
} pair_t;

static ALWAYS_INLINE pair_t pair_of(uint32_t a, uint32_t b)
{
    pair_t pair = {a, a ^ b};
    return pair;
}

/* Add a pair to `sum`; returns the carry. */
static ALWAYS_INLINE uint32_t add_pair(uint32_t *sum, pair_t pair)
{
    uint32_t any = (*sum ^ pair.one) | pair.differ; /* the carry is the sum, turned round in these lanes */
    *sum ^= pair.differ;
    any ^= *sum;
    return any;
}

/* Add two pairs to `sum`; returns the two carries as a pair, in 8 operations (two full adders take 10). */
static ALWAYS_INLINE pair_t add_pairs(uint32_t *sum, pair_t first, pair_t second)
{
#if FEW_REGISTERS
    uint32_t carry = add_pair(sum, first);
    return pair_of(carry, add_pair(sum, second));
#else
    pair_t carries;
    uint32_t any = (*sum ^ first.one) | first.differ;
    uint32_t between = *sum ^ first.differ;
    carries.one = any ^ between;
    KEEP_HERE(carries.one);
    carries.differ = any ^ ((between ^ second.one) & ~second.differ);
    *sum = between ^ second.differ;
    return carries;
#endif
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

/* Count eight rows in the planes of a word. */
static void count_rows(uint32_t *planes, const uint32_t *row)
{
    pair_t twos = add_pairs(&planes[0], pair_of(row[0], row[1]), pair_of(row[2], row[3]));
    pair_t more = add_pairs(&planes[0], pair_of(row[4], row[5]), pair_of(row[6], row[7]));
    uint32_t eights = add_pair(&planes[2], add_pairs(&planes[1], twos, more));
    for (uint32_t *plane = planes + 3; eights != 0u; plane++) {
        *plane ^= eights;
        eights &= ~*plane;
    }
}

/* Count the rows of the batch. */
static APART void count_batch(run_t *run)
{
    const bs4nn_layer_t *output = run->output;
    uint32_t *planes = run->output_planes;
    uint32_t *row = run->output_batch;
    uint32_t rows = waiting(run);
    run->output_counted += rows;
    run->slot = row;
    for (uint32_t w = 0; w < output->words && rows != 0u; w++) {
        for (uint32_t k = rows; k < BATCH; k++) {
            row[k] = 0;
            KEEP_LOOP();
        }
        count_rows(planes, row);
        planes += output->planes;
        row += BATCH;
    }
}

/* Let the spike of input `i` arrive; nobody looks yet. */
static inline void arrive_output(run_t *run, uint32_t i)
{
    uint32_t halfwords = run->halfwords;
    const uint16_t *row = run->rows + i * halfwords;
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
static COLD uint32_t highest_counter(const uint32_t *planes, uint32_t count, uint32_t mask)
{
    uint32_t highest = 0;
    do {
        count--;
        uint32_t set = mask & planes[count];
        highest <<= 1;
        if (set != 0u) {
            mask = set;
            highest++;
        }
    } while (count != 0u);
    return highest;
}

/* The lanes whose counters are at least `level`. */
static COLD uint32_t lanes_at_least(const uint32_t *planes, uint32_t count, uint32_t level)
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
static COLD int32_t output_potential(const run_t *run, uint32_t j)
{
    const bs4nn_layer_t *output = run->output;
    const uint32_t *planes = run->output_planes + j / WORD_BITS * output->planes;
    uint32_t lane = (uint32_t)1u << (j % WORD_BITS);
    uint32_t counter = highest_counter(planes, output->planes, lane);
    if (output->start_planes != 0u) {
        const uint32_t *lead = output->start + j / WORD_BITS * (output->start_planes + 1u);
        counter -= highest_counter(lead, output->start_planes, lane);
    }
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
            run->trace->firing_times[bs4nn_neurons(network) - run->output->neurons + j] = (uint16_t)firing_time;
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
    const bs4nn_layer_t *output = run->output;
    uint32_t n = output_arrived(run);
    uint32_t nearest = UINT32_MAX;
    int32_t highest = INT32_MIN;

    count_batch(run);
    for (uint32_t w = 0; w < output->words; w++) {
        const uint32_t *planes = run->output_planes + w * output->planes;
        uint32_t odd = run->output_alive[run->output->words + w];
        uint32_t alive = run->output_alive[w];
        uint32_t reach = 2u * highest_counter(planes, output->planes, alive) + (odd != 0u);
        if (reach >= n + output->threshold) {
            uint32_t fired = lanes_at_least(planes, output->planes, (n + output->threshold + 1u) >> 1);
            if (odd != 0u) {
                fired |= lanes_at_least(planes, output->planes, (n + output->threshold) >> 1) & odd;
            }
            fire_output(run, w, fired & alive, firing_time, &highest);
            if (highest != INT32_MIN && run->trace == NULL) {
                continue; /* the answer is all that is asked for */
            }
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
    for (uint32_t j = 0; j < run->output->neurons; j++) {
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
    const half_t *spikes;
    uint32_t n;        /* spikes that have arrived */
    half_t *ring;      /* of every spike the first word that is due at it */
    uint32_t eighths;  /* (n + threshold + 1) >> 1, the count that fires, in eights, and ... */
    uint32_t shift;    /* threshold + 1, and what the counters have been set up for */
    uint32_t *records;
    uint32_t stride;   /* bytes of a record and its planes */
    const uint32_t *columns;
    uint32_t height;   /* bytes of a column */
    uint32_t level;    /* ... what the eights leave */
    uint32_t past;     /* so many new spikes that a counter may have gone past 7 */
    uint32_t sooner;   /* spikes less than twice the lack that let a neuron fire */
    const half_t *end; /* of the spikes that are known */
    uint32_t more;     /* planes in use beyond MIN_PLANES */
    uint32_t positive; /* alive lanes from 0 on; in assembly only, as is ... */
    uint32_t nearest;  /* ... the alive lanes that lack least */
    uint32_t direct;   /* one threshold, an output layer of one half-word next, nobody traces, and in time */
    const uint16_t *rows; /* of the output layer */
    run_t *run;

    const bs4nn_layer_t *layer;
    uint32_t *counts;
    uint32_t top;      /* planes in use */
    uint32_t odd;      /* 1 if thresholds differ */
    uint32_t unusual;  /* not 0 if thresholds differ or counters may have gone past 7 */
    uint32_t threshold;
    uint32_t l;
    uint32_t limit;    /* the planes in use hold the counters up to so many spikes */
    uint32_t firing_time;
} BS4NN_ALIGNED layer_t;

#if BS4NN_ASSEMBLY
IS_AT(layer_t, spikes, AT_SPIKES);
IS_AT(layer_t, n, AT_N);
IS_AT(layer_t, ring, AT_RING);
IS_AT(layer_t, eighths, AT_EIGHTHS);
IS_AT(layer_t, shift, AT_SHIFT);
IS_AT(layer_t, records, AT_RECORDS);
IS_AT(layer_t, stride, AT_STRIDE);
IS_AT(layer_t, columns, AT_COLUMNS);
IS_AT(layer_t, height, AT_HEIGHT);
IS_AT(layer_t, level, AT_LEVEL);
IS_AT(layer_t, past, AT_PAST);
IS_AT(layer_t, sooner, AT_SOONER);
IS_AT(layer_t, end, AT_END);
IS_AT(layer_t, more, AT_MORE);
IS_AT(layer_t, positive, AT_POSITIVE);
IS_AT(layer_t, nearest, AT_NEAREST);
IS_AT(layer_t, direct, AT_DIRECT);
IS_AT(layer_t, rows, AT_ROWS);
IS_AT(layer_t, run, AT_RUN);
IS_AT(run_t, output_batch, RUN_BATCH);
IS_AT(run_t, slot, RUN_SLOT);
IS_AT(run_t, output_counted, RUN_COUNTED);
IS_AT(run_t, output_planes, RUN_PLANES);
IS_AT(run_t, on_their_way, RUN_ON_THEIR_WAY);
HOLDS(record_alive, RECORD_ALIVE == 4u * ALIVE);
HOLDS(record_next, RECORD_NEXT == 4u * NEXT);
HOLDS(record_planes, RECORD_PLANES == 4u * RECORD);
HOLDS(ring, RING_SPIKES == RING);
HOLDS(batch, BATCH_BYTES == 4u * BATCH);
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
        times += run->network->layers[k].neurons;
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
    if (at->firing_time >= run->network->time_steps) { /* too late to arrive anywhere */
        return;
    }
    run->on_their_way = 1;
    if (run->trace != NULL) {
        note_firing_times(at, first, fired);
    }
    if (at->l + 1u < run->network->hidden_layers) {
        uint32_t *counts = counts_of(run, at->l + 1u);
        half_t *spikes = spikes_of(run, at->l + 1u);
        for (; fired != 0u; fired &= fired - 1u) {
            spikes[counts[SENT]++] = (uint16_t)(first + lowest_bit(fired));
        }
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
    const uint16_t *rows = run->rows + w * WORD_BITS;
    uint32_t *slot = run->slot;
    uint32_t *end = run->output_batch + BATCH;
    run->on_their_way = 1;
    KEEP_HERE(rows);
    do {
        *slot++ = rows[lowest_bit(fired)];
        KEEP_HERE(slot);
        if (slot == end) {
            slot -= BATCH;
            run->output_counted += BATCH;
            count_rows(run->output_planes, slot);
        }
        KEEP_HERE(fired);
        fired &= fired - 1u;
    } while (fired != 0u);
    run->slot = slot;
}
#endif

/* The alive lanes from -8 to -1: all planes from the fourth on are set. */
static uint32_t minus(const layer_t *at, const uint32_t *planes, uint32_t alive)
{
    alive &= planes[3] & planes[4] & planes[5] & planes[6];
    for (uint32_t p = MIN_PLANES; p < at->top; p++) {
        alive &= planes[p];
    }
    return alive;
}

/*
 * Find the alive lanes that lack least to the level, and return how much: they are, if there are any, among the
 * positive ones, which lack 8 less than those from -8 to -1; without those either all lack more still.
 */
static ALWAYS_INLINE uint32_t find_nearest(const layer_t *at, const uint32_t *planes, uint32_t alive, uint32_t positive,
                                           uint32_t *nearest)
{
    uint32_t lanes = positive;
    uint32_t lack = at->level;
    uint32_t x;
    if (lanes == 0u) {
        lanes = minus(at, planes, alive);
        lack += 8u;
        if (lanes == 0u) {
            *nearest = alive;
            return lack;
        }
    }
    x = lanes & planes[2];
    if (x != 0u) {
        lanes = x;
        lack -= 4u;
    }
    x = lanes & planes[1];
    if (x != 0u) {
        lanes = x;
        lack -= 2u;
    }
    x = lanes & planes[0];
    if (x != 0u) {
        lanes = x;
        lack -= 1u;
    }
    *nearest = lanes;
    return lack;
}

#if !BS4NN_ASSEMBLY
static inline const uint32_t *column_of(const layer_t *at, uint32_t w)
{
    return (const uint32_t *)(const void *)((const uint8_t *)at->columns + w * at->height);
}

/* Add a bit to `sum`; returns the carry. */
static ALWAYS_INLINE uint32_t add_bit(uint32_t *sum, uint32_t bit)
{
    *sum ^= bit;
    return bit & ~*sum;
}

/* Two rows of a column. */
static ALWAYS_INLINE pair_t two_rows(const uint32_t *column, const half_t *spike)
{
    uint32_t row = column[spike[0]];
    pair_t pair = pair_of(row, column[spike[1]]);
    KEEP_HERE(pair.differ);
    return pair;
}

/* Add four rows of a column to `sum`; returns the carries. */
static ALWAYS_INLINE pair_t add_four_rows(uint32_t *sum, const uint32_t *column, const half_t *spike)
{
#if FEW_REGISTERS
    uint32_t carry = add_pair(sum, two_rows(column, spike));
    return pair_of(carry, add_pair(sum, two_rows(column, spike + 2)));
#else
    pair_t first = two_rows(column, spike);
    return add_pairs(sum, first, two_rows(column, spike + 2));
#endif
}

/* Add `carry` to the planes from `plane` on, of which there are `more` than `sure`, three or four. Returns the sign. */
static ALWAYS_INLINE uint32_t count_up(uint32_t *plane, uint32_t more, uint32_t carry, uint32_t sure)
{
#define UP(p) \
    x = plane[p] ^ carry; \
    plane[p] = x; \
    carry &= ~x
    uint32_t x;
    UP(0);
    UP(1);
    UP(2);
    if (sure == 4u) {
        UP(3);
    }
    for (plane += sure; more != 0u; more--, plane++) {
        UP(0);
    }
    return x;
#undef UP
}

/* Add a + b - 1, which is -1, 0 or 1 in every lane, to four planes and `more`. Returns the sign. */
static IN_PLACE_IF_ROOM uint32_t count_down(uint32_t *plane, uint32_t more, uint32_t a, uint32_t b)
{
#define DOWN(p) \
    x = plane[p] ^ change; \
    plane[p] = x; \
    change &= x ^ a
    uint32_t change = ~(a ^ b); /* up where a is set, down elsewhere */
    uint32_t x;
    DOWN(0);
    DOWN(1);
    DOWN(2);
    DOWN(3);
    for (plane += 4; more != 0u; more--, plane++) {
        DOWN(0);
    }
    return x;
#undef DOWN
}

/* Take one off in every lane: seldom more than one. */
static COLD void count_one_down(uint32_t *plane, uint32_t more)
{
    count_down(plane, more, 0, 0);
}

/* Let a word catch up with all spikes. Returns the sign of the counters. */
static ALWAYS_INLINE uint32_t catch_up(const layer_t *at, uint32_t *record, const uint32_t *column)
{
    uint32_t *planes = record + RECORD;
    uint32_t seen = record[NEXT] >> 16;
    const half_t *spike = at->spikes + seen;
    uint32_t p0 = planes[0];
    uint32_t p1 = planes[1];
    uint32_t p2 = planes[2];
    uint32_t eights = 0;
    KEEP_HERE(eights);
    uint32_t carry = 0;
    uint32_t count = at->n - seen;
    const half_t *end = spike + (count & ~7u);
    if (spike != end) {
        for (;;) {
            pair_t twos = add_four_rows(&p0, column, spike);
            pair_t more = add_four_rows(&p0, column, spike + 4);
            spike += 8;
            KEEP_IF_ROOM(spike);
            eights = add_pair(&p2, add_pairs(&p1, twos, more));
            if (spike == end) {
                break;
            }
            count_up(planes + 3, at->more, eights, 4);
        }
    }
    /* What is left makes a carry at the most in every lane. */
    if ((count & 1u) != 0u) {
        carry = add_bit(&p2, add_bit(&p1, add_bit(&p0, column[*spike++])));
    }
#if FEW_REGISTERS
    for (end = spike + (count & 6u); spike != end;) {
        uint32_t row = add_pair(&p0, two_rows(column, spike));
        spike += 2;
        KEEP_HERE(spike);
        carry |= add_bit(&p2, add_bit(&p1, row));
    }
#else
    if ((count & 2u) != 0u) {
        carry |= add_bit(&p2, add_bit(&p1, add_pair(&p0, two_rows(column, spike))));
        spike += 2;
    }
    if ((count & 4u) != 0u) {
        carry |= add_bit(&p2, add_pair(&p1, add_four_rows(&p0, column, spike)));
    }
#endif
    planes[0] = p0;
    planes[1] = p1;
    planes[2] = p2;
    planes += 3;
    uint32_t drop = at->eighths - (((record[NEXT] >> 16) + at->shift) >> 4);
    if (drop == 0u) {
        uint32_t x = *planes;
        *planes++ = x ^ eights ^ carry;
        return count_up(planes, at->more, (x & (eights | carry)) | (eights & carry), 3);
    }
    for (; drop > 1u; drop--) { /* seldom */
        count_one_down(planes, at->more);
    }
    return count_down(planes, at->more, eights, carry);
}
#endif

/* The neurons of word w that an odd distance lets fire with one less than the others, after `eights` as below. */
static COLD uint32_t firing_odd(const layer_t *at, const uint32_t *planes, uint32_t w, uint32_t alive, uint32_t eights)
{
    const bs4nn_layer_t *layer = at->layer;
    uint32_t odd = layer->start[(w + 1u) * (layer->start_planes + 1u) - 1u];
    if (((at->n + at->threshold) & 1u) == 0u) {
        return 0;
    }
    return odd & (at->level != 0u ? alive & ~planes[at->top - 1u] & (eights | lanes_at_least(planes, 3, at->level - 1u))
                                  : minus(at, planes, alive) & planes[0] & planes[1] & planes[2]);
}

/* The neurons of word w that fire. */
static ALWAYS_INLINE uint32_t firing(const layer_t *at, const uint32_t *planes, uint32_t w, uint32_t alive,
                                     uint32_t positive)
{
    uint32_t level = at->level;
    /* Those whose counter is at least the level: plane by plane, from the lowest. */
    uint32_t fired = (level & 1u) != 0u ? planes[0] : UINT32_MAX;
    fired = (level & 2u) != 0u ? fired & planes[1] : fired | planes[1];
    fired = (level & 4u) != 0u ? fired & planes[2] : fired | planes[2];
    fired &= positive;
    if (at->unusual != 0u) {
        uint32_t eights = planes[3] | planes[4] | planes[5] | planes[6];
        for (uint32_t p = MIN_PLANES; p < at->top; p++) {
            eights |= planes[p];
        }
        fired |= positive & eights;
        if (at->odd != 0u) {
            fired |= firing_odd(at, planes, w, alive, eights);
        }
    }
    return fired;
}

/* Neurons of word w fire, `fired` of them, at least one. Returns those that are left. */
static ALWAYS_INLINE uint32_t fire(const layer_t *at, uint32_t *record, uint32_t w, uint32_t fired)
{
    uint32_t alive = record[ALIVE] & ~fired;
    record[ALIVE] = alive;
#if !BS4NN_ASSEMBLY
    if (at->direct) {
        fire_direct(at->run, w, fired);
        return alive;
    }
#endif
    fire_hidden(at, w, fired);
    return alive;
}

/* Find the alive lanes that lack least. Returns after how many more spikes one of them could fire. */
static ALWAYS_INLINE uint32_t find_gap(const layer_t *at, const uint32_t *planes, uint32_t alive, uint32_t positive,
                                       uint32_t *nearest)
{
    uint32_t gap = 2u * find_nearest(at, planes, alive, positive, nearest) - at->sooner;
    if ((int32_t)gap <= 0) { /* it was the odd ones that might have fired */
        gap = 1u;
        *nearest = UINT32_MAX;
    }
    return gap;
}

#if BS4NN_ASSEMBLY
/*
 * Neurons of a word may fire, in a way that the assembly does not do itself. Returns after how many more spikes others
 * could, or 0 if none is left.
 */
C_NAME uint32_t bs4nn_fire_word(layer_t *at, uint32_t *record, uint32_t w);
ONE_OF_MANY COLD uint32_t bs4nn_fire_word(layer_t *at, uint32_t *record, uint32_t w)
{
    const uint32_t *planes = record + RECORD;
    uint32_t alive = record[ALIVE];
    uint32_t fired = firing(at, planes, w, alive, at->positive);
    if (fired != 0u) {
        alive = fire(at, record, w, fired);
        if (alive == 0u) {
            return 0;
        }
    }
    return find_gap(at, planes, alive, at->positive & alive, &at->nearest);
}
#endif

/* Add the leads of neurons with lower thresholds to the counters. */
static COLD void add_leads(const layer_t *at)
{
    const bs4nn_layer_t *layer = at->layer;
    const uint32_t *start = layer->start;
    for (uint32_t w = 0; w < layer->words; w++) {
        uint32_t *plane = record_of(at, w) + RECORD;
        uint32_t carry = 0;
        for (uint32_t p = 0; p < at->top; p++) {
            plane[p] = full_add(plane[p], p < layer->start_planes ? start[p] : 0u, carry, &carry);
        }
        start += layer->start_planes + 1u;
    }
}

/* Set up the counters of a layer for the first look, and link all its words. */
static COLD void set_up(const layer_t *at)
{
    const bs4nn_layer_t *layer = at->layer;
    uint32_t *record = at->records;
    uint32_t words = layer->words;
    uint32_t below = 0u - at->eighths; /* the counters start at minus that many eights */
    uint32_t p3 = 0u - (below & 1u);
    uint32_t p4 = 0u - (below >> 1 & 1u);
    uint32_t p5 = 0u - (below >> 2 & 1u);
    uint32_t p6 = 0u - (below >> 3 & 1u);
    for (uint32_t w = 0; w < words; record = record_of(at, w)) {
        uint32_t *plane = record + RECORD;
        record[ALIVE] = UINT32_MAX;
        record[NEXT] = ++w;
        plane[0] = plane[1] = plane[2] = 0;
        plane[3] = p3;
        plane[4] = p4;
        plane[5] = p5;
        plane[6] = p6;
    }
    for (uint32_t p = MIN_PLANES; p < at->top; p++) {
        for (uint32_t w = 0; w < words; w++) {
            record_of(at, w)[RECORD + p] = 0u - (below >> (p - 3u) & 1u);
        }
    }
    record = record_of(at, words - 1u);
    record[ALIVE] = alive_lanes(layer->neurons, words - 1u);
    record[NEXT] = NO_WORD;
    if (layer->start != NULL) {
        add_leads(at);
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
            record[NEXT] = (record[NEXT] & SEEN) | next;
            next = w;
        }
    }
    return next;
}

/* Use so many planes. */
static void use_planes(layer_t *at, uint32_t planes)
{
    at->counts[TOP] = planes;
    at->top = planes;
    at->more = planes - MIN_PLANES;
    at->limit = spikes_held(at->layer, planes);
}

/* Take more planes, for n spikes; the sign extends into them. */
static COLD void add_planes(layer_t *at)
{
    while (at->n > at->limit) {
        uint32_t *sign = at->records + RECORD + at->top - 1u;
        uint32_t stride = at->stride / (uint32_t)sizeof(uint32_t);
        for (uint32_t left = at->layer->words; left != 0u; left--) {
            sign[1] = sign[0];
            sign += stride;
        }
        use_planes(at, at->top + 1u);
    }
}

/* What stays the same for hidden layer l. */
static COLD void enter_layer(layer_t *at, run_t *run, uint32_t l)
{
    const bs4nn_layer_t *layer = &run->network->layers[l];
    at->run = run;
    at->rows = run->rows;
    at->layer = layer;
    at->spikes = spikes_of(run, l);
    at->end = at->spikes + run->known;
    at->shift = layer->threshold + 1u;
    at->counts = counts_of(run, l);
    at->ring = (half_t *)(at->counts + COUNTS);
    at->records = at->counts + COUNTS + RING_WORDS;
    at->stride = (RECORD + layer->planes) * (uint32_t)sizeof(uint32_t);
    at->columns = layer->columns;
    at->height = layer->inputs * (uint32_t)sizeof(uint32_t);
    at->odd = layer->start != NULL;
    at->threshold = layer->threshold;
    at->l = l;
    use_planes(at, at->counts[TOP]);
    at->direct = l + 1u == run->network->hidden_layers && run->halfwords == 1u && run->trace == NULL
              && at->odd == 0u;
}

/* Look at word w and at those that are linked to it. Each is put down for when it is due next. */
#if BS4NN_ASSEMBLY
C_NAME void bs4nn_look_at_list(layer_t *at, uint32_t w);
#define look_at_list bs4nn_look_at_list
#else
static APART void look_at_list(layer_t *at, uint32_t w)
{
    do {
        uint32_t *record = record_of(at, w);
        const uint32_t *column = column_of(at, w);
        KEEP_HERE(record);
        uint32_t sign = catch_up(at, record, column);
        uint32_t next = record[NEXT] & NO_WORD;
        uint32_t alive = record[ALIVE];
        uint32_t positive = alive & ~sign;
        uint32_t lanes;
        if (positive != 0u || at->odd != 0u) {
            uint32_t fired = firing(at, record + RECORD, w, alive, positive);
            if (fired != 0u) {
                alive = fire(at, record, w, fired);
                if (alive == 0u) { /* nobody left: never put down again */
                    w = next;
                    continue;
                }
                positive &= alive;
            }
        }
        uint32_t gap = find_gap(at, record + RECORD, alive, positive, &lanes);
        KEEP_HERE(gap);
        /* If every neuron that could fire next is going to meet a synapse of -1 before, it is two spikes later. */
        const half_t *spike = at->spikes + at->n;
        const half_t *end = (uint32_t)(at->end - spike) < gap ? at->end : spike + gap;
        while (spike != end) {
            lanes &= column[*spike++];
            if (lanes == 0u) {
                gap += 2u;
                break;
            }
        }
        half_t *slot = &at->ring[(at->n + gap) % RING];
        record[NEXT] = *slot | at->n << 16;
        *slot = (uint16_t)w;
        w = next;
    } while (w != NO_WORD);
}
#endif

/* Look at all words, since none has ever been looked at, or none is in the ring any more. */
static COLD void look_at_all_words(layer_t *at)
{
    if (at->counts[ARRIVED] == 0u) {
        set_up(at);
        at->shift += at->n;
        look_at_list(at, 0);
        at->shift -= at->n;
    } else {
        uint32_t w = all_due(at);
        if (w != NO_WORD) {
            look_at_list(at, w);
        }
    }
}

/* Look at the words of a layer that are due, after n spikes, of which `fresh` have come at this step. */
static APART void look_at_words(layer_t *at, uint32_t fresh)
{
    uint32_t *counts = at->counts;
    half_t *ring = at->ring;
    uint32_t n = at->n;
    uint32_t k = counts[DUE];
    uint32_t level = n + at->threshold + 1u;
    at->eighths = level >> 4;
    at->sooner = (~level & 1u) + at->odd;
    level = level >> 1 & 7u;
    at->level = level;
    at->past = level + (fresh >> 1) >= 8u;
    at->unusual = at->past | at->odd;
    if (n > at->limit) {
        add_planes(at);
    }
    if (n - counts[ARRIVED] > RING || counts[ARRIVED] == 0u) { /* nobody is put down for later than that */
        look_at_all_words(at);
        k = n + 1u;
    }
    counts[ARRIVED] = n;
    for (; k <= n; k++) {
        half_t *slot = &ring[k % RING];
        uint32_t w = *slot;
        if (w != NO_WORD) {
            *slot = NO_WORD;
            look_at_list(at, w);
        }
    }
    while (ring[k % RING] == NO_WORD) {
        if (k == n + RING) {
            k = UINT16_MAX;
            break;
        }
        k++;
    }
    counts[DUE] = k < UINT16_MAX ? k : UINT16_MAX; /* where pass_over() ends */
}

/* ---- One step ---- */

/* Everything that happens at hidden layer l at one step. */
static ALWAYS_INLINE void run_layer(run_t *run, layer_t *at, uint32_t l, uint32_t step)
{
    if (at->l != l) {
        enter_layer(at, run, l);
    }
    at->n = l == 0u ? run->delivered : at->counts[SENT];
    if (at->n >= at->counts[DUE]) {
        uint32_t fresh = run->fresh;
        if (l != 0u) {
            fresh = at->n - at->counts[ARRIVED];
            at->end = at->spikes + at->n; /* what comes is not known */
        }
        at->firing_time = step + run->network->delay;
        if (at->firing_time >= run->network->time_steps) {
            at->direct = 0; /* too late to arrive anywhere */
        }
        look_at_words(at, fresh);
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
 * output side down. Returns whether the answer is found, and nothing more asked for.
 */
static inline int run_step(run_t *run, layer_t *at, uint32_t step)
{
    const bs4nn_network_t *network = run->network;
    uint32_t layers = network->hidden_layers;
    uint32_t l;
    if (network->delay == 0u || layers == 0u) {
        for (l = 0; l < layers; l++) {
            run_layer(run, at, l, step);
        }
        if (run->on_their_way || layers == 0u) {
            run->on_their_way = 0;
            run_output(run, step);
        }
        return run->finished;
    }
    if (run->on_their_way) {
        run->on_their_way = 0;
        run_output(run, step);
        if (run->finished) {
            return 1;
        }
    }
    if (step == network->readout_step) {
        read_out(run); /* before this step's hidden spikes, which arrive at the next one */
    }
    l = layers - 1u;
    do {
        run_layer(run, at, l, step);
    } while (l-- != 0u);
    if (run->on_their_way && output_arrived(run) < run->output_due) {
        l = layers;
        do {
            l--;
        } while (l != 0u && counts_of(run, l)[SENT] < counts_of(run, l)[DUE]);
        run->on_their_way = l; /* else what arrives makes nobody fire */
    }
    return 0;
}

/* Let the pixels fire whose step it is. */
static inline void deliver(run_t *run, uint32_t step)
{
    uint32_t first = run->delivered;
    while (run->step == step) {
        run->delivered = *run->place;
        go_on(run, 1);
    }
    run->fresh = run->delivered - first;
    if (run->network->hidden_layers == 0u) {
        for (; first != run->delivered; first++) {
            arrive_output(run, run->spikes[first]);
        }
    }
}

/* ---- One image ---- */

static void run_image(run_t *run)
{
    static const uint32_t always = 1;
    const bs4nn_network_t *network = run->network;
    const uint32_t *due = network->hidden_layers != 0u ? counts_of(run, 0) + DUE : &always;
    uint32_t stop = network->readout_step + 1u; /* the step at which it is too late to read out, then T */
    uint32_t step = 0;
    layer_t at;

    at.l = UINT32_MAX; /* no layer yet */

    for (;;) {
        step++;
        if (!run->on_their_way) {
            pass_over(run, *due);
            step = run->step;
        }
        if (step >= stop) {
            if (!run->read_out) {
                read_out(run);
            }
            stop = network->time_steps;
            if (step >= stop) {
                return;
            }
        }
        deliver(run, step);
        if (run_step(run, &at, step)) {
            return;
        }
    }
}

static COLD void reset_hidden(const run_t *run, uint32_t l)
{
    const bs4nn_layer_t *layer = &run->network->layers[l];
    uint32_t *counts = counts_of(run, l);
    uint32_t enough = 2u * layer->spread + (layer->start != NULL); /* spikes less than the threshold */
    counts[ARRIVED] = 0;
    counts[SENT] = 0;
    counts[DUE] = layer->threshold > enough ? layer->threshold - enough : 1u;
    counts[TOP] = MIN_PLANES;
    uint32_t *ring = counts + COUNTS;
    for (uint32_t *end = ring + RING_WORDS; ring != end; ring += 4) {
        ring[0] = ring[1] = ring[2] = ring[3] = NO_WORD | NO_WORD << 16;
        KEEP_LOOP();
    }
}

static COLD void reset_output(run_t *run)
{
    const bs4nn_layer_t *output = run->output;
    uint32_t words = output->words;
    for (uint32_t i = 0; i < words * (output->planes + 2u); i++) {
        run->output_planes[i] = 0;
        KEEP_LOOP();
    }
    run->output_alive = run->output_planes + words * output->planes;
    run->output_batch = run->output_alive + 2u * words;
    run->slot = run->output_batch;
    uint32_t enough = 2u * output->spread + (output->start != NULL); /* spikes less than the threshold */
    run->output_due = output->threshold > enough ? output->threshold - enough : 1u;
    for (uint32_t w = 0; w < words; w++) {
        run->output_alive[w] = alive_lanes(output->neurons, w);
    }
    const uint32_t *start = output->start;
    for (uint32_t w = 0; start != NULL && w < words; w++) { /* the leads come before the odd distances */
        for (uint32_t p = 0; p < output->start_planes; p++) {
            run->output_planes[w * output->planes + p] = *start++;
        }
        run->output_alive[words + w] = *start++;
    }
}

static int run_and_report(bs4nn_t *net, const uint8_t *pixels, const bs4nn_trace_t *trace, bs4nn_result_t *result)
{
    if (net == NULL || net->network == NULL || pixels == NULL) {
        return BS4NN_ERROR_ARGUMENT;
    }
    const bs4nn_network_t *network = net->network;
    run_t run; /* field by field, for an initializer would call memset */
    run.output_counted = 0;
    run.on_their_way = 0;
    run.step = 0;
    run.remainder = 0;
    run.delivered = 0;
    run.fresh = 0;
    run.result.answer = 0;
    run.result.spikes = 0;
    run.decided = 0;
    run.finished = 0;
    run.read_out = 0;
    run.network = network;
    run.workspace = net->workspace;
    run.trace = trace;
    run.inputs = inputs_of(network);
    run.spikes = (half_t *)(net->workspace + network->workspace_words - spikes_words(run.inputs));
    run.output = &network->layers[network->hidden_layers];
    run.output_planes = net->workspace + run.output->state;
    run.rows = network->rows;
    run.steps_a_unit = network->steps_a_unit;
    run.remainder_a_unit = network->remainder_a_unit;
    run.halfwords = halfwords_of(run.output);
    run.place = places_of(&run) + network->intensity_max;
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
