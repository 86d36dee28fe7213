/*
 * host_times.c - every firing time of a batch of images, and its answers, hundreds of neurons at a time.
 *
 * The kernel answers the same on a computer (device/kernel_library.py). This file stands beside it for speed: side by
 * side on one core, 784-600-10, it gives 1.6 (T = 256) and 1.9 times (T = 16) as many answers a second, and 4 times as
 * many images with every firing time.
 *
 * An image runs layer by layer, each from the first spike to the last: what comes in is a list of spikes in groups of
 * equal time, what goes out is another.
 *
 * Wide layers work much as the microcontroller's kernel does (firmware/lib/bs4nn): the counters of as many neurons
 * as a vector has bits live side by side in bit planes, one vector a plane. With n spikes arrived and c of them
 * over +1, V = 2c - n, so V >= threshold is c >= needed(n) = (n + threshold + 1) >> 1. A counter holds
 * c - needed(n), in two's complement, so who has reached the threshold has a clear sign. needed() rises by one with
 * every other spike, which is taken off on the way: two rows a and b change a counter by a + b - 1. A single spike
 * comes with a row of all zeros or all ones, as the level rises with it or not. A lower threshold is a head start:
 * c + lead, and one less to reach where its distance to the highest is odd. Layers of up to 16 neurons hold plain
 * 16-bit potentials.
 *
 * How many spikes a step brings and who fires cannot be foreseen, so what depends on it is masked, not branched on.
 *
 * The vectors are GCC's and clang's: 512 bits where the processor has AVX-512, else 256 or 128.
 */
#include "host.h"

#include <stdlib.h>
#include <string.h>

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
#define LANES (8 * VECTOR_BYTES)
#define WORDS (VECTOR_BYTES / 8)
#define NARROW 16 /* neurons of a layer with plain potentials at the most */
#define MAX_PLANES 18
#define INLINE static inline __attribute__((__always_inline__))

typedef uint64_t vector_t __attribute__((__vector_size__(VECTOR_BYTES), __may_alias__));
typedef int16_t numbers_t __attribute__((__vector_size__(2 * NARROW), __may_alias__));

/* Spikes in the order of their times. */
typedef struct {
    int32_t step; /* at which they arrive */
    int32_t end;  /* of theirs in `who`; they begin where those of the group before end */
} group_t;

typedef struct {
    int32_t *who;
    group_t *groups;
    int32_t count;
    int32_t group_count;
} spikes_t;

/* Two rows to add, after as many times eight. */
typedef struct {
    int32_t a;
    int32_t b;
    int32_t eights;
    int32_t first; /* of the eights, in `who` */
    int32_t last;  /* -1: who has reached the threshold fires then, for the step is over; else 0 */
    int32_t odd;   /* -1: for those of odd distance one less is enough then; else 0 */
} unit_t;

/* 64 neurons, some of which fire. */
typedef struct {
    uint64_t fired;
    int32_t first;
    int32_t time;
} busy_t;

#define CHUNK 64 /* groups whose units are made, and whose firing neurons are listed, at a time */

typedef struct {
    int32_t inputs;
    int32_t neurons;
    int32_t vectors;
    int32_t threshold;  /* the highest */
    int32_t spread;     /* the largest lead */
    int32_t used;       /* planes in use: the highest is the sign */
    int32_t odd_ones;   /* some distance to the highest is odd */
    vector_t *rows;     /* (inputs + 2) x vectors, the last two all zeros and all ones */
    vector_t *start;    /* vectors x MAX_PLANES: the counters before the first spike */
    vector_t *odd;      /* vectors */
    vector_t *real;     /* vectors: lanes that hold a neuron */
    vector_t *planes;   /* vectors x MAX_PLANES */
    vector_t *alive;    /* vectors: lanes that have not crossed */
    vector_t *fired;    /* CHUNK x vectors: lanes that cross in each group */
    unit_t *units;      /* CHUNK x 4 */
    busy_t *busy;       /* CHUNK x vectors x WORDS + 1 */
    int32_t *leads;     /* neurons */
    int narrow;         /* none of the above but: */
    numbers_t *signs;   /* inputs */
    numbers_t thresholds;
    numbers_t levels;   /* thresholds; the largest number once a neuron has crossed */
    numbers_t potentials;
    int32_t arrived;
    spikes_t spikes;    /* sent */
} sliced_t;

/* ---- Memory ---- */

typedef struct {
    char *start; /* NULL: only count */
    size_t taken;
} arena_t;

static void *take(arena_t *arena, size_t bytes)
{
    void *memory = arena->start != NULL ? arena->start + arena->taken : NULL;
    arena->taken += (bytes + 63u) / 64u * 64u;
    return memory;
}

/* Room for a list of up to so many spikes, and 8 more that are read but not used. */
static void take_spikes(spikes_t *spikes, int32_t most, arena_t *arena)
{
    spikes->who = take(arena, ((size_t)most + 8) * sizeof *spikes->who);
    spikes->groups = take(arena, (size_t)most * sizeof *spikes->groups);
}

static void lay_out(sliced_t *layer, const host_layer_t *given, arena_t *arena)
{
    size_t vectors = ((size_t)given->neurons + LANES - 1) / LANES;
    layer->inputs = given->inputs;
    layer->neurons = given->neurons;
    layer->vectors = (int32_t)vectors;
    layer->narrow = given->neurons <= NARROW;
    take_spikes(&layer->spikes, given->neurons + 1, arena);
    if (layer->narrow) {
        layer->signs = take(arena, (size_t)given->inputs * NARROW * sizeof(int16_t));
        return;
    }
    layer->rows = take(arena, ((size_t)given->inputs + 2) * vectors * sizeof(vector_t));
    layer->start = take(arena, MAX_PLANES * vectors * sizeof(vector_t));
    layer->odd = take(arena, vectors * sizeof(vector_t));
    layer->real = take(arena, vectors * sizeof(vector_t));
    layer->planes = take(arena, MAX_PLANES * vectors * sizeof(vector_t));
    layer->alive = take(arena, vectors * sizeof(vector_t));
    layer->fired = take(arena, CHUNK * vectors * sizeof(vector_t));
    layer->units = take(arena, CHUNK * 4 * sizeof(unit_t));
    layer->busy = take(arena, (CHUNK * vectors * WORDS + 1) * sizeof(busy_t));
    layer->leads = take(arena, (size_t)given->neurons * sizeof(int32_t));
}

/* So many spikes over +1 that a counter has reached its level, after n spikes. */
static inline int32_t needed(const sliced_t *layer, int32_t n)
{
    return (n + layer->threshold + 1) >> 1;
}

#define MIN_PLANES 8

/* Planes that hold all counters, with their sign, up to n spikes. */
static inline int32_t planes_of(const sliced_t *layer, int32_t n)
{
    int32_t lowest = needed(layer, n);
    int32_t highest = n + layer->spread; /* more than there can be */
    uint32_t most = (uint32_t)(lowest > highest ? lowest : highest);
    return 33 - __builtin_clz(most | ((1u << (MIN_PLANES - 1)) - 1u));
}

static void set_lane(vector_t *vectors, int32_t j)
{
    ((uint64_t *)vectors)[j / 64] |= (uint64_t)1 << (j % 64);
}

/* A threshold over the fan-in is never reached, however far. */
static int32_t reachable(const host_layer_t *given, int32_t j)
{
    return given->thresholds[j] <= given->inputs ? given->thresholds[j] : given->inputs + 1;
}

static void slice_narrow(sliced_t *layer, const host_layer_t *given)
{
    memset(&layer->thresholds, 0x7F, sizeof layer->thresholds); /* unused lanes never get there */
    for (int32_t j = 0; j < given->neurons; j++) {
        layer->thresholds[j] = (int16_t)reachable(given, j);
        for (int32_t i = 0; i < given->inputs; i++) {
            layer->signs[i][j] = given->signs[(int64_t)i * given->neurons + j];
        }
    }
}

/* The counter, lead and mask of neuron j. */
static void start_lane(sliced_t *layer, int32_t j, int32_t distance)
{
    int32_t lead = distance >> 1;
    uint32_t counter = (uint32_t)(lead - needed(layer, 0));
    set_lane(layer->real, j);
    if ((distance & 1) != 0) {
        set_lane(layer->odd, j);
        layer->odd_ones = 1;
    }
    for (int32_t p = 0; p < MAX_PLANES; p++) {
        if ((counter >> p & 1u) != 0) {
            set_lane(layer->start + j / LANES * MAX_PLANES + p, j % LANES);
        }
    }
    layer->leads[j] = lead;
    layer->spread = lead > layer->spread ? lead : layer->spread;
}

static void slice(sliced_t *layer, const host_layer_t *given)
{
    if (layer->narrow) {
        slice_narrow(layer, given);
        return;
    }
    for (int32_t j = 0; j < given->neurons; j++) {
        layer->threshold = reachable(given, j) > layer->threshold ? reachable(given, j) : layer->threshold;
    }
    for (int32_t j = 0; j < given->neurons; j++) {
        start_lane(layer, j, layer->threshold - reachable(given, j));
    }
    for (int32_t i = 0; i < given->inputs; i++) {
        const int8_t *signs = given->signs + (int64_t)i * given->neurons;
        uint64_t *row = (uint64_t *)(layer->rows + (int64_t)i * layer->vectors);
        for (int32_t j = 0; j < given->neurons; j++) {
            row[j / 64] |= (uint64_t)(signs[j] > 0) << (j % 64);
        }
    }
    memset(layer->rows + ((int64_t)given->inputs + 1) * layer->vectors, -1, (size_t)layer->vectors * sizeof(vector_t));
}

/* ---- One layer ---- */

/* Get ready for an image that sends so many spikes at the most. */
static void begin(sliced_t *layer, int32_t spikes)
{
    if (layer->narrow) {
        layer->potentials = (numbers_t){0};
        layer->levels = layer->thresholds;
    } else {
        layer->used = planes_of(layer, spikes);
        for (int64_t v = 0; v < layer->vectors; v++) {
            memcpy(layer->planes + v * MAX_PLANES, layer->start + v * MAX_PLANES,
                   (size_t)layer->used * sizeof(vector_t));
            layer->alive[v] = layer->real[v];
        }
    }
    layer->arrived = 0;
    layer->spikes.count = 0;
    layer->spikes.group_count = 0;
}

/* Sum of three lanes of 0 or 1, and the carry. */
#define FULL_ADD(sum, carry, a, b, c) \
    do { \
        vector_t a_ = (a), b_ = (b), c_ = (c); \
        (carry) = (a_ & b_) | ((a_ ^ b_) & c_); \
        (sum) = a_ ^ b_ ^ c_; \
    } while (0)

/* Add a + b - 1, which is -1, 0 or 1 in every lane, to so many planes. */
INLINE void add_less_one(vector_t *plane, int32_t planes, vector_t a, vector_t b)
{
    vector_t change = ~(a ^ b); /* up where a is set, down elsewhere */
    for (int32_t p = 0; p < planes; p++) {
        plane[p] ^= change;
        change &= plane[p] ^ a;
    }
}

/* Units of the groups first .. end - 1; returns how many. */
static int64_t make_units(sliced_t *layer, const spikes_t *spikes, int32_t first, int32_t end)
{
    unit_t *unit = layer->units;
    int32_t k = first > 0 ? spikes->groups[first - 1].end : 0;
    for (int32_t g = first; g < end; g++) {
        int32_t count = spikes->groups[g].end - k;
        int32_t eights = (count - 1) / 8;
        int32_t pairs = (count - 8 * eights + 1) / 2; /* 1 to 4 */
        const int32_t *who = spikes->who + k + 8 * eights;
        for (int32_t p = 0; p < 4; p++) { /* those too many are written over */
            unit[p] = (unit_t){.a = who[2 * p], .b = who[2 * p + 1]};
        }
        unit[0].eights = eights;
        unit[0].first = k;
        unit += pairs - 1;
        if ((count & 1) != 0) {
            unit->b = layer->inputs + 1 - ((k + count + layer->threshold) & 1);
        }
        unit->last = -1;
        unit->odd = -((k + count + layer->threshold) & 1);
        unit++;
        k += count;
    }
    return unit - layer->units;
}

/* Run units through a layer that uses so many planes. Who crosses goes into layer->fired, group by group. */
INLINE void run_units(sliced_t *layer, const int32_t *who, int64_t count, int32_t used, int odd_ones)
{
    int64_t stride = layer->vectors;
    for (int64_t v = 0; v < stride; v++) {
        const vector_t *rows = layer->rows + v;
        vector_t *fired = layer->fired + v;
        vector_t alive = layer->alive[v];
        vector_t odd = layer->odd[v];
        vector_t planes[MAX_PLANES];
        for (int32_t p = 0; p < used; p++) {
            planes[p] = layer->planes[v * MAX_PLANES + p];
        }
        for (const unit_t *unit = layer->units; unit < layer->units + count; unit++) {
            const int32_t *eight = who + unit->first;
            for (int32_t e = 0; e < unit->eights; e++, eight += 8) {
                vector_t a, b, c, d, f, g;
#define ROW(at) rows[eight[at] * stride]
                FULL_ADD(planes[0], a, planes[0], ROW(0), ROW(1));
                FULL_ADD(planes[0], b, planes[0], ROW(2), ROW(3));
                FULL_ADD(planes[0], c, planes[0], ROW(4), ROW(5));
                FULL_ADD(planes[0], d, planes[0], ROW(6), ROW(7));
                FULL_ADD(planes[1], f, planes[1], a, b);
                FULL_ADD(planes[1], g, planes[1], c, d);
#undef ROW
                add_less_one(planes + 2, used - 2, f, g);
            }
            add_less_one(planes, used, rows[unit->a * stride], rows[unit->b * stride]);
            vector_t reached = ~planes[used - 1];
            if (odd_ones) {
                vector_t minus_one = odd & (uint64_t)(int64_t)unit->odd;
                for (int32_t p = 0; p < used; p++) {
                    minus_one &= planes[p];
                }
                reached |= minus_one;
            }
            vector_t crossed = reached & alive & (uint64_t)(int64_t)unit->last;
            alive ^= crossed;
            *fired = crossed;
            fired += stride & unit->last;
        }
        for (int32_t p = 0; p < used; p++) {
            layer->planes[v * MAX_PLANES + p] = planes[p];
        }
        layer->alive[v] = alive;
    }
}

/* List who fires in so many groups, and when: times[j] becomes the step of the group, or one more. */
static void list_fired(sliced_t *layer, const group_t *groups, int32_t count, int32_t delay, int32_t never,
                       uint16_t *times)
{
    int32_t words = (layer->neurons + 63) / 64;
    busy_t *busy = layer->busy;
    spikes_t *spikes = &layer->spikes;
    int32_t end = spikes->count;
    for (int32_t g = 0; g < count && groups[g].step + delay < never; g++) {
        const uint64_t *fired = (const uint64_t *)(layer->fired + (int64_t)g * layer->vectors);
        int32_t time = groups[g].step + delay;
        int32_t before = end;
        for (int32_t w = 0; w < words; w++) {
            *busy = (busy_t){fired[w], 64 * w, time};
            busy += fired[w] != 0;
            end += __builtin_popcountll(fired[w]);
        }
        spikes->groups[spikes->group_count] = (group_t){time, end};
        spikes->group_count += end > before;
    }
    int32_t *who = spikes->who + spikes->count;
    for (const busy_t *next = layer->busy; next < busy; next++) {
        uint64_t left = next->fired;
        do {
            int32_t j = next->first + __builtin_ctzll(left);
            times[j] = (uint16_t)next->time;
            *who++ = j;
            left &= left - 1;
        } while (left != 0);
    }
    spikes->count = end;
}

static void run_wide(sliced_t *layer, const spikes_t *arriving, int32_t first, int32_t end, int32_t delay,
                     int32_t never, uint16_t *times)
{
    while (first < end) {
        int32_t next = end - first < CHUNK ? end : first + CHUNK;
        int64_t units = make_units(layer, arriving, first, next);
        /* The most frequent numbers of planes fit into registers. */
        switch (layer->odd_ones != 0 ? 0 : layer->used) {
        case MIN_PLANES: run_units(layer, arriving->who, units, MIN_PLANES, 0); break;
        case 9: run_units(layer, arriving->who, units, 9, 0); break;
        case 10: run_units(layer, arriving->who, units, 10, 0); break;
        default: run_units(layer, arriving->who, units, layer->used, 1); break;
        }
        list_fired(layer, arriving->groups + first, next - first, delay, never, times);
        first = next;
    }
}

static int is_zero(const uint64_t *words, int64_t count)
{
    uint64_t any = 0;
    for (int64_t k = 0; k < count; k++) {
        any |= words[k];
    }
    return any == 0;
}

static void run_narrow(sliced_t *layer, const spikes_t *arriving, int32_t first, int32_t end, int32_t delay,
                       int32_t never, uint16_t *times)
{
    spikes_t *spikes = &layer->spikes;
    numbers_t potentials = layer->potentials;
    numbers_t levels = layer->levels;
    int32_t k = first > 0 ? arriving->groups[first - 1].end : 0;
    for (int32_t g = first; g < end; g++) {
        for (; k < arriving->groups[g].end; k++) {
            potentials += layer->signs[arriving->who[k]];
        }
        numbers_t fired = potentials >= levels;
        int32_t time = arriving->groups[g].step + delay;
        if (is_zero((const uint64_t *)(const void *)&fired, sizeof fired / 8) || time >= never) {
            continue;
        }
        for (int32_t j = 0; j < layer->neurons; j++) {
            if (fired[j] != 0) {
                levels[j] = INT16_MAX;
                times[j] = (uint16_t)time;
                spikes->who[spikes->count++] = j;
            }
        }
        spikes->groups[spikes->group_count++] = (group_t){time, spikes->count};
    }
    layer->potentials = potentials;
    layer->levels = levels;
}

/* The spikes of groups first .. end - 1 arrive, and whoever reaches the threshold fires, `delay` later. */
static void run_groups(sliced_t *layer, const spikes_t *arriving, int32_t first, int32_t end, int32_t delay,
                       int32_t never, uint16_t *times)
{
    if (layer->narrow) {
        run_narrow(layer, arriving, first, end, delay, never, times);
    } else {
        run_wide(layer, arriving, first, end, delay, never, times);
    }
    layer->arrived = end > 0 ? arriving->groups[end - 1].end : 0;
}

static int32_t potential(const sliced_t *layer, int32_t j)
{
    if (layer->narrow) {
        return layer->potentials[j];
    }
    const vector_t *plane = layer->planes + j / LANES * MAX_PLANES;
    int32_t counter = 0;
    for (int32_t p = 0; p < layer->used; p++) {
        int32_t bit = (int32_t)(((const uint64_t *)(plane + p))[j % LANES / 64] >> (j % 64) & 1);
        counter += p == layer->used - 1 ? -(bit << p) : bit << p;
    }
    return 2 * (counter + needed(layer, layer->arrived) - layer->leads[j]) - layer->arrived;
}

/* ---- One image ---- */

typedef struct {
    const host_network_t *network;
    sliced_t layers[HOST_MAX_LAYERS];
    int32_t *pixels;    /* (inputs) those that are not black */
    spikes_t inputs;    /* their spikes */
    int32_t neurons;    /* of all layers */
    uint16_t *times;    /* (neurons) for who does not want them */
    int32_t *readout;   /* (outputs) likewise */
    void *memory;
} times_run_t;

/* How many groups come up to a step. */
static int32_t groups_until(const spikes_t *spikes, int32_t step)
{
    int32_t g = 0;
    while (g < spikes->group_count && spikes->groups[g].step <= step) {
        g++;
    }
    return g;
}

static int32_t spikes_until(const spikes_t *spikes, int32_t step)
{
    int32_t g = groups_until(spikes, step);
    return g > 0 ? spikes->groups[g - 1].end : 0;
}

/* List the pixels that are not black; returns how many. */
static int32_t find_pixels(const uint8_t *image, int32_t inputs, int32_t *pixels)
{
    int32_t found = 0;
    for (int32_t first = 0; first < inputs; first += 64) {
        uint64_t lit = 0;
        if (first + 64 <= inputs) {
            for (int32_t part = 0; part < 8; part++) {
                uint64_t eight;
                memcpy(&eight, image + first + 8 * part, sizeof eight);
                const uint64_t low = 0x7F7F7F7F7F7F7F7Fu;
                uint64_t tops = (((eight & low) + low) | eight) & ~low; /* the top bit of every byte that is not 0 */
                lit |= (tops >> 7) * 0x0102040810204080u >> 56 << (8 * part);
            }
        } else {
            for (int32_t i = first; i < inputs; i++) {
                lit |= (uint64_t)(image[i] != 0) << (i - first);
            }
        }
        for (; lit != 0; lit &= lit - 1) {
            pixels[found++] = first + __builtin_ctzll(lit);
        }
    }
    return found;
}

/* The spikes of an image, sorted by counting. */
static void encode(times_run_t *run, const uint8_t *image)
{
    const uint16_t *step_of = run->network->step_of_intensity;
    int32_t pixels = find_pixels(image, run->network->layers[0].inputs, run->pixels);
    int32_t places[256] = {0};
    uint64_t used[4] = {0};
    for (int32_t k = 0; k < pixels; k++) {
        uint8_t intensity = image[run->pixels[k]];
        places[intensity]++;
        used[intensity / 64] |= (uint64_t)1 << (intensity % 64);
    }
    spikes_t *spikes = &run->inputs;
    int32_t step = -1;
    spikes->count = 0;
    spikes->group_count = 0;
    for (int32_t word = 3; word >= 0; word--) {
        while (used[word] != 0) {
            int32_t bit = 63 - __builtin_clzll(used[word]);
            int32_t intensity = 64 * word + bit;
            int32_t count = places[intensity];
            used[word] ^= (uint64_t)1 << bit;
            places[intensity] = spikes->count;
            if (step_of[intensity] >= run->network->time_steps) {
                continue; /* too dark: behind all others, and in no group */
            }
            spikes->group_count += step_of[intensity] != step;
            step = step_of[intensity];
            spikes->count += count;
            spikes->groups[spikes->group_count - 1] = (group_t){step, spikes->count};
        }
    }
    for (int32_t k = 0; k < pixels; k++) {
        spikes->who[places[image[run->pixels[k]]]++] = run->pixels[k];
    }
}

/* Potential of neuron j, summed over the spikes that have arrived. */
static int32_t potential_of(const host_layer_t *layer, int32_t j, const int32_t *who, int32_t count)
{
    int32_t potential = 0;
    for (int32_t k = 0; k < count; k++) {
        potential += layer->signs[(int64_t)who[k] * layer->neurons + j];
    }
    return potential;
}

/* Run an image to the last step. */
static void run_image(times_run_t *run, const uint8_t *image, uint16_t *times, int32_t *readout)
{
    const host_network_t *network = run->network;
    const int32_t never = network->time_steps;
    const int32_t last = network->layer_count - 1;
    const spikes_t *arriving = &run->inputs;

    encode(run, image);
    for (int32_t l = 0; l <= last; l++) {
        sliced_t *layer = &run->layers[l];
        for (int32_t j = 0; j < layer->neurons; j++) {
            times[j] = (uint16_t)never;
        }
        begin(layer, arriving->count);
        int32_t read_out = l == last ? groups_until(arriving, network->readout_step) : 0;
        run_groups(layer, arriving, 0, read_out, network->delay, never, times);
        if (l == last) {
            for (int32_t j = 0; j < layer->neurons; j++) {
                readout[j] = potential(layer, j);
            }
        }
        run_groups(layer, arriving, read_out, arriving->group_count, network->delay, never, times);
        times += layer->neurons;
        arriving = &layer->spikes;
    }
}

/* Find the answer of the image just run. Returns the last step whose spikes have been sent by then. */
static int32_t decide(const times_run_t *run, const int32_t *readout, int32_t *answer, int32_t *response_time)
{
    const host_network_t *network = run->network;
    const int32_t last = network->layer_count - 1;
    const spikes_t *outputs = &run->layers[last].spikes;
    const spikes_t *below = last > 0 ? &run->layers[last - 1].spikes : &run->inputs;

    if (outputs->count == 0) { /* silent: the highest potential at the readout step */
        *response_time = network->time_steps;
        *answer = 0;
        for (int32_t j = 1; j < run->layers[last].neurons; j++) {
            *answer = readout[j] > readout[*answer] ? j : *answer;
        }
        return network->time_steps;
    }
    /* The first to fire; of several the one with the highest potential, then the lowest index. */
    int32_t first = outputs->groups[0].end;
    *response_time = outputs->groups[0].step;
    *answer = outputs->who[0];
    int32_t step = *response_time - network->delay;
    if (first > 1) {
        int32_t arrived = spikes_until(below, step);
        int32_t highest = INT32_MIN;
        for (int32_t s = 0; s < first; s++) {
            int32_t reached = potential_of(&network->layers[last], outputs->who[s], below->who, arrived);
            if (reached > highest) {
                *answer = outputs->who[s];
                highest = reached;
            }
        }
    }
    return step;
}

/* ---- Batches ---- */

static void lay_out_run(times_run_t *run, arena_t *arena)
{
    const host_network_t *network = run->network;
    int32_t inputs = network->layers[0].inputs;
    int32_t outputs = network->layers[network->layer_count - 1].neurons;
    run->pixels = take(arena, (size_t)inputs * sizeof *run->pixels);
    take_spikes(&run->inputs, inputs, arena);
    run->times = take(arena, (size_t)run->neurons * sizeof *run->times);
    run->readout = take(arena, (size_t)outputs * sizeof *run->readout);
    for (int32_t l = 0; l < network->layer_count; l++) {
        lay_out(&run->layers[l], &network->layers[l], arena);
    }
}

/* Memory for runs of one network. Returns 0, or -1 without memory. */
static int open_run(times_run_t *run, const host_network_t *network)
{
    arena_t arena = {0};
    memset(run, 0, sizeof *run);
    run->network = network;
    for (int32_t l = 0; l < network->layer_count; l++) {
        run->neurons += network->layers[l].neurons;
    }
    lay_out_run(run, &arena);
    run->memory = calloc(arena.taken + 64, 1);
    if (run->memory == NULL) {
        return -1;
    }
    arena.start = (char *)run->memory + (64 - (uintptr_t)run->memory % 64); /* vectors need it */
    arena.taken = 0;
    lay_out_run(run, &arena);
    for (int32_t l = 0; l < network->layer_count; l++) {
        slice(&run->layers[l], &network->layers[l]);
    }
    return 0;
}

int host_times(const host_network_t *network, const host_images_t *images, const host_result_t *result)
{
    times_run_t run;
    const uint8_t *image = images->images;
    uint16_t *times = result->times;
    int32_t *readout = result->readout;
    int32_t outputs = network->layers[network->layer_count - 1].neurons;
    if (open_run(&run, network) != 0) {
        return -1;
    }
    for (int64_t n = 0; n < images->count; n++) {
        run_image(&run, image, times, readout);
        int32_t step = decide(&run, readout, &result->answer[n], &result->response_time[n]);
        int32_t spikes = spikes_until(&run.inputs, step);
        for (int32_t l = 0; l + 1 < network->layer_count; l++) {
            spikes += spikes_until(&run.layers[l].spikes, step);
        }
        result->spikes[n] = spikes;
        image += network->layers[0].inputs;
        times += run.neurons;
        readout += outputs;
    }
    free(run.memory);
    return 0;
}

int host_evaluate(const host_network_t *network, const host_images_t *images, const host_answers_t *answers)
{
    times_run_t run;
    const uint8_t *image = images->images;
    if (open_run(&run, network) != 0) {
        return -1;
    }
    const spikes_t *outputs = &run.layers[network->layer_count - 1].spikes;
    for (int64_t n = 0; n < images->count; n++) {
        int32_t label = images->labels[n];
        run_image(&run, image, run.times, run.readout);
        int32_t step = decide(&run, run.readout, &answers->answer[n], &answers->response_time[n]);
        int lenient = answers->answer[n] == label;
        for (int32_t s = 0; outputs->count > 0 && s < outputs->groups[0].end; s++) {
            lenient |= outputs->who[s] == label;
        }
        answers->lenient[n] = (uint8_t)lenient;
        int32_t spikes = spikes_until(&run.inputs, step);
        int64_t *counter = answers->fired;
        for (int32_t l = 0; l + 1 < network->layer_count; l++) {
            const spikes_t *sent = &run.layers[l].spikes;
            int32_t until = spikes_until(sent, step);
            for (int32_t s = 0; s < until; s++) {
                counter[sent->who[s]]++;
            }
            spikes += until;
            counter += network->layers[l].neurons;
        }
        answers->spikes[n] = spikes;
        image += network->layers[0].inputs;
    }
    free(run.memory);
    return 0;
}
