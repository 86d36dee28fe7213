/*
 * host_times.c - every firing time of a batch of images, hundreds of neurons at a time.
 *
 * Wide layers work much as the microcontroller's kernel does (firmware/lib/bs4nn): the counters of as many neurons
 * as a vector has bits live side by side in bit planes, one vector a plane. With n spikes arrived and c of them
 * over +1, V = 2c - n, so V >= threshold is c >= needed(n) = (n + threshold + 1) >> 1. A counter holds
 * c - needed(n), in two's complement, so who has reached the threshold has a clear sign. needed() rises by one with
 * every other spike, which is taken off on the way: two rows a and b change a counter by a + b - 1. A lower
 * threshold is a head start: c + lead, and one less to reach where its distance to the highest is odd. Layers of
 * up to 32 neurons hold plain 16-bit potentials.
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
#define NARROW 32 /* neurons of a layer with plain potentials at the most */
#define NARROW_VECTORS (2 * NARROW / VECTOR_BYTES)
#define MAX_PLANES 18
#define INLINE static inline __attribute__((__always_inline__))

typedef uint64_t vector_t __attribute__((__vector_size__(VECTOR_BYTES), __may_alias__));
typedef int16_t numbers_t __attribute__((__vector_size__(VECTOR_BYTES), __may_alias__));

typedef struct {
    int32_t inputs;
    int32_t neurons;
    int32_t vectors;
    int32_t threshold;  /* the highest */
    int32_t spread;     /* the largest lead */
    int32_t used;       /* planes in use: the highest is the sign */
    int32_t odd_ones;   /* some distance to the highest is odd */
    vector_t *rows;     /* inputs x vectors */
    vector_t *start;    /* vectors x MAX_PLANES: the counters before the first spike */
    vector_t *odd;      /* vectors */
    vector_t *real;     /* vectors: lanes that hold a neuron */
    vector_t *planes;   /* vectors x MAX_PLANES */
    vector_t *alive;    /* vectors: lanes that have not crossed */
    vector_t *fired;    /* vectors: lanes that cross at this step */
    int32_t *leads;     /* neurons */
    int narrow;         /* none of the above but: */
    numbers_t *signs;   /* inputs x NARROW_VECTORS */
    numbers_t levels[NARROW_VECTORS];     /* thresholds; the largest number once a neuron has crossed */
    numbers_t thresholds[NARROW_VECTORS];
    numbers_t potentials[NARROW_VECTORS];
    int32_t *spikes;    /* neurons in the order of their firing times */
    int32_t spike_count;
    int32_t fresh;      /* spikes[fresh ..] have not arrived at the layer above */
    int32_t arrived;
} sliced_t;

/* ---- Memory ---- */

static void *take(char **next, size_t bytes)
{
    void *taken = *next;
    if (taken != NULL) {
        *next += (bytes + 63u) / 64u * 64u;
    }
    return taken;
}

/* Lay a layer out from *next on. Returns the bytes that it takes. */
static size_t lay_out(sliced_t *layer, const host_layer_t *given, char *next)
{
    size_t vectors = ((size_t)given->neurons + LANES - 1) / LANES;
    size_t list = ((size_t)given->neurons * sizeof(int32_t) + 63u) / 64u * 64u;
    layer->inputs = given->inputs;
    layer->neurons = given->neurons;
    layer->vectors = (int32_t)vectors;
    layer->narrow = given->neurons <= NARROW;
    layer->spikes = take(&next, list);
    if (layer->narrow) {
        size_t bytes = (size_t)given->inputs * NARROW * sizeof(int16_t);
        layer->signs = take(&next, bytes);
        return list + bytes;
    }
    layer->leads = take(&next, list);
    if (next != NULL) {
        layer->rows = (vector_t *)(void *)next;
        layer->start = layer->rows + (size_t)given->inputs * vectors;
        layer->odd = layer->start + MAX_PLANES * vectors;
        layer->real = layer->odd + vectors;
        layer->planes = layer->real + vectors;
        layer->alive = layer->planes + MAX_PLANES * vectors;
        layer->fired = layer->alive + vectors;
    }
    size_t vector_bytes = ((size_t)given->inputs + 2 * MAX_PLANES + 4) * vectors * sizeof(vector_t);
    return 2 * list + (vector_bytes + 63u) / 64u * 64u;
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

static void slice(sliced_t *layer, const host_layer_t *given)
{
    if (layer->narrow) {
        memset(layer->thresholds, 0x7F, sizeof layer->thresholds); /* unused lanes never get there */
        for (int32_t j = 0; j < given->neurons; j++) {
            int32_t threshold = given->thresholds[j] <= given->inputs ? given->thresholds[j] : given->inputs + 1;
            ((int16_t *)layer->thresholds)[j] = (int16_t)threshold;
            for (int32_t i = 0; i < given->inputs; i++) {
                ((int16_t *)layer->signs)[i * NARROW + j] = given->signs[(int64_t)i * given->neurons + j];
            }
        }
        return;
    }
    /* A threshold over the fan-in is never reached, however far. */
    int32_t highest = 0;
    for (int32_t j = 0; j < given->neurons; j++) {
        int32_t threshold = given->thresholds[j] <= given->inputs ? given->thresholds[j] : given->inputs + 1;
        highest = threshold > highest ? threshold : highest;
    }
    layer->threshold = highest;
    for (int32_t j = 0; j < given->neurons; j++) {
        int32_t threshold = given->thresholds[j] <= given->inputs ? given->thresholds[j] : given->inputs + 1;
        int32_t lead = (highest - threshold) >> 1;
        set_lane(layer->real, j);
        if (((highest - threshold) & 1) != 0) {
            set_lane(layer->odd, j);
            layer->odd_ones = 1;
        }
        uint32_t counter = (uint32_t)(lead - needed(layer, 0));
        for (int32_t p = 0; p < MAX_PLANES; p++) {
            if ((counter >> p & 1u) != 0) {
                set_lane(layer->start + j / LANES * MAX_PLANES + p, j % LANES);
            }
        }
        layer->leads[j] = lead;
        layer->spread = lead > layer->spread ? lead : layer->spread;
    }
    for (int32_t i = 0; i < given->inputs; i++) {
        const int8_t *signs = given->signs + (int64_t)i * given->neurons;
        uint64_t *row = (uint64_t *)(layer->rows + (int64_t)i * layer->vectors);
        for (int32_t j = 0; j < given->neurons; j++) {
            row[j / 64] |= (uint64_t)(signs[j] > 0) << (j % 64);
        }
    }
}

/* ---- One layer ---- */

/* Get ready for an image that sends so many spikes at the most. */
static void begin(sliced_t *layer, int32_t spikes)
{
    if (layer->narrow) {
        memset(layer->potentials, 0, sizeof layer->potentials);
        memcpy(layer->levels, layer->thresholds, sizeof layer->levels);
    } else {
        layer->used = planes_of(layer, spikes);
        for (int64_t v = 0; v < layer->vectors; v++) {
            memcpy(layer->planes + v * MAX_PLANES, layer->start + v * MAX_PLANES,
                   (size_t)layer->used * sizeof(vector_t));
            layer->alive[v] = layer->real[v];
        }
    }
    layer->spike_count = 0;
    layer->fresh = 0;
    layer->arrived = 0;
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

/* Add a, or, where `less` has all its bits set, a - 1. */
INLINE void add_one_row(vector_t *plane, int32_t planes, vector_t a, uint64_t less)
{
    vector_t change = a ^ less;
    for (int32_t p = 0; p < planes; p++) {
        plane[p] ^= change;
        change &= ~(plane[p] ^ less);
    }
}

/* Spikes arrive at a layer that uses so many planes. */
INLINE void arrive_wide(sliced_t *layer, const int32_t *inputs, int32_t count, int32_t used)
{
    int64_t stride = layer->vectors;
    uint64_t less = 0u - (uint64_t)((layer->arrived + layer->threshold + 1) & 1); /* the next spike lifts the level */
    for (int64_t v = 0; v < stride; v++) {
        const vector_t *rows = layer->rows + v;
        vector_t *planes = layer->planes + v * MAX_PLANES;
        int32_t k = 0;
#define ROW(at) rows[inputs[k + (at)] * stride]
        for (; k + 8 <= count; k += 8) { /* the level rises by 4, as it does by 2 and 1 below */
            vector_t ones = planes[0], twos = planes[1], a, b, c, d, e, f;
            FULL_ADD(ones, a, ones, ROW(0), ROW(1));
            FULL_ADD(ones, b, ones, ROW(2), ROW(3));
            FULL_ADD(ones, c, ones, ROW(4), ROW(5));
            FULL_ADD(ones, d, ones, ROW(6), ROW(7));
            FULL_ADD(twos, e, twos, a, b);
            FULL_ADD(twos, f, twos, c, d);
            planes[0] = ones;
            planes[1] = twos;
            add_less_one(planes + 2, used - 2, e, f);
        }
        if ((count & 4) != 0) {
            vector_t ones = planes[0], a, b;
            FULL_ADD(ones, a, ones, ROW(0), ROW(1));
            FULL_ADD(ones, b, ones, ROW(2), ROW(3));
            planes[0] = ones;
            add_less_one(planes + 1, used - 1, a, b);
            k += 4;
        }
        if ((count & 2) != 0) {
            add_less_one(planes, used, ROW(0), ROW(1));
            k += 2;
        }
        if ((count & 1) != 0) {
            add_one_row(planes, used, ROW(0), less);
        }
#undef ROW
    }
}

static void arrive(sliced_t *layer, const int32_t *inputs, int32_t count)
{
    if (layer->narrow) {
        for (int v = 0; v < NARROW_VECTORS; v++) {
            numbers_t sum = layer->potentials[v];
            for (int32_t k = 0; k < count; k++) {
                sum += layer->signs[inputs[k] * NARROW_VECTORS + v];
            }
            layer->potentials[v] = sum;
        }
    } else { /* for the most frequent numbers of planes without a loop over them, whose end is hard to foresee */
        switch (layer->used) {
        case MIN_PLANES: arrive_wide(layer, inputs, count, MIN_PLANES); break;
        case 9: arrive_wide(layer, inputs, count, 9); break;
        case 10: arrive_wide(layer, inputs, count, 10); break;
        default: arrive_wide(layer, inputs, count, layer->used); break;
        }
    }
    layer->arrived += count;
}

/* The lanes of vector v that have reached their thresholds. */
INLINE vector_t reached(const sliced_t *layer, int64_t v)
{
    const vector_t *plane = layer->planes + v * MAX_PLANES;
    vector_t lanes = ~plane[layer->used - 1];
    if (layer->odd_ones != 0 && ((layer->arrived + layer->threshold) & 1) != 0) { /* -1 is enough for them */
        vector_t minus_one = layer->odd[v];
        for (int32_t p = 0; p < layer->used; p++) {
            minus_one &= plane[p];
        }
        lanes |= minus_one;
    }
    return lanes;
}

static int is_zero(const uint64_t *words, int64_t count)
{
    uint64_t any = 0;
    for (int64_t k = 0; k < count; k++) {
        any |= words[k];
    }
    return any == 0;
}

/* Neurons of a layer of few that have reached their thresholds. */
static void fire_narrow(sliced_t *layer, int32_t time, int32_t time_steps, uint16_t *times)
{
    numbers_t fired[NARROW_VECTORS];
    for (int v = 0; v < NARROW_VECTORS; v++) {
        fired[v] = layer->potentials[v] >= layer->levels[v];
    }
    if (is_zero((const uint64_t *)(const void *)fired, 2 * NARROW / 8)) {
        return;
    }
    for (int32_t j = 0; j < layer->neurons; j++) {
        if (((const int16_t *)fired)[j] != 0) {
            ((int16_t *)layer->levels)[j] = INT16_MAX;
            if (time < time_steps) {
                times[j] = (uint16_t)time;
                layer->spikes[layer->spike_count++] = j;
            }
        }
    }
}

/* Let everybody fire who has reached the threshold; times[j] becomes `time`, and who is in time sends a spike. */
static void fire(sliced_t *layer, int32_t time, int32_t time_steps, uint16_t *times)
{
    if (layer->narrow) {
        fire_narrow(layer, time, time_steps, times);
        return;
    }
    vector_t any = {0};
    for (int64_t v = 0; v < layer->vectors; v++) {
        vector_t fired = reached(layer, v) & layer->alive[v];
        layer->alive[v] ^= fired;
        layer->fired[v] = fired;
        any |= fired;
    }
    if (time >= time_steps || is_zero((const uint64_t *)(const void *)&any, WORDS)) {
        return;
    }
    const uint64_t *fired = (const uint64_t *)layer->fired;
    int32_t count = layer->spike_count;
    for (int32_t word = 0; 64 * word < layer->neurons; word++) {
        for (uint64_t left = fired[word]; left != 0; left &= left - 1) {
            int32_t j = word * 64 + __builtin_ctzll(left);
            times[j] = (uint16_t)time;
            layer->spikes[count++] = j;
        }
    }
    layer->spike_count = count;
}

static int32_t potential(const sliced_t *layer, int32_t j)
{
    if (layer->narrow) {
        return ((const int16_t *)layer->potentials)[j];
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
    int32_t *next;      /* (inputs) the next pixel of the same intensity, -1 = none */
    int32_t *arriving;  /* (inputs) input spikes of one step */
    int32_t heads[256]; /* the first pixel of every intensity */
} times_run_t;

/* Returns how many pixels are in the lists, among them all that are not black. */
static int32_t sort_pixels(times_run_t *run, const uint8_t *image)
{
    int32_t inputs = run->network->layers[0].inputs;
    int32_t listed = 0;
    int32_t i = 0;
    memset(run->heads, -1, sizeof run->heads);
    while (i < inputs) {
        uint64_t eight = 1;
        if (i + 8 <= inputs) {
            memcpy(&eight, image + i, sizeof eight);
            if (eight == 0) { /* most pixels are black */
                i += 8;
                continue;
            }
        }
        for (int32_t end = i + 8 < inputs ? i + 8 : inputs; i < end; i++) {
            run->next[i] = run->heads[image[i]];
            run->heads[image[i]] = i;
            listed++;
        }
    }
    return listed;
}

static void run_times(times_run_t *run, const uint8_t *image, uint16_t *times, int32_t *readout, int32_t *answer,
                      int32_t *response_time, int32_t *spikes)
{
    const host_network_t *network = run->network;
    const int32_t never = network->time_steps;
    const int32_t delay = network->delay;
    const int32_t last = network->layer_count - 1;
    sliced_t *output = &run->layers[last];
    uint16_t *times_of[HOST_MAX_LAYERS];
    int32_t intensity = 255;
    int32_t step = 0;
    int32_t on_their_way = 0;
    int32_t read_out = 0;
    int32_t sent = 0;
    int32_t decided = -1;

    int32_t listed = sort_pixels(run, image);
    for (int32_t l = 0; l <= last; l++) {
        begin(&run->layers[l], l == 0 ? listed : run->layers[l].inputs);
        times_of[l] = times;
        for (int32_t j = 0; j < run->layers[l].neurons; j++) {
            times[j] = (uint16_t)never;
        }
        times += run->layers[l].neurons;
    }
    *response_time = never;
    for (;;) {
        while (intensity >= 0 && (run->heads[intensity] < 0 || network->step_of_intensity[intensity] >= never)) {
            intensity--;
        }
        int32_t input_step = intensity >= 0 ? network->step_of_intensity[intensity] : never;
        if (!on_their_way || input_step < step) {
            step = input_step;
        }
        if (!read_out && step > network->readout_step) {
            for (int32_t j = 0; j < output->neurons; j++) {
                readout[j] = potential(output, j);
            }
            read_out = 1;
        }
        if (step >= never) {
            break;
        }
        int32_t count = 0;
        while (intensity >= 0 && network->step_of_intensity[intensity] == step) {
            for (int32_t i = run->heads[intensity]; i >= 0; i = run->next[i]) {
                run->arriving[count++] = i;
            }
            intensity--;
        }
        sent += count;
        int32_t crossed = output->spike_count;
        on_their_way = 0;
        for (int32_t k = 0; k <= last; k++) {
            int32_t l = delay == 0 ? k : last - k;
            const int32_t *inputs = run->arriving;
            int32_t arriving = count;
            if (l > 0) {
                sliced_t *below = &run->layers[l - 1];
                inputs = below->spikes + below->fresh;
                arriving = below->spike_count - below->fresh;
                below->fresh = below->spike_count;
            }
            if (arriving > 0) {
                int32_t before = run->layers[l].spike_count;
                arrive(&run->layers[l], inputs, arriving);
                fire(&run->layers[l], step + delay, never, times_of[l]);
                on_their_way |= delay != 0 && l < last && run->layers[l].spike_count > before;
            }
            if (l == last) {
                if (decided < 0 && output->spike_count > crossed) {
                    decided = output->spikes[crossed];
                    int32_t highest = potential(output, decided);
                    for (int32_t s = crossed + 1; s < output->spike_count; s++) { /* from the lowest index up */
                        if (potential(output, output->spikes[s]) > highest) {
                            decided = output->spikes[s];
                            highest = potential(output, decided);
                        }
                    }
                    *answer = decided;
                    *response_time = step + delay;
                    *spikes = sent;
                    for (int32_t h = 0; h < last; h++) {
                        *spikes += run->layers[h].spike_count;
                    }
                }
                if (!read_out && step == network->readout_step) {
                    for (int32_t j = 0; j < output->neurons; j++) {
                        readout[j] = potential(output, j);
                    }
                    read_out = 1;
                }
            }
        }
        step++;
    }
    if (decided < 0) {
        *answer = 0;
        for (int32_t j = 1; j < output->neurons; j++) {
            *answer = readout[j] > readout[*answer] ? j : *answer;
        }
        *spikes = sent;
        for (int32_t h = 0; h < last; h++) {
            *spikes += run->layers[h].spike_count;
        }
    }
}

int host_times(const host_network_t *network, const uint8_t *images, int32_t count, uint16_t *times, int32_t *readout,
               int32_t *answer, int32_t *response_time, int32_t *spikes)
{
    times_run_t run;
    size_t inputs = (size_t)network->layers[0].inputs;
    size_t list = (inputs * sizeof(int32_t) + 63u) / 64u * 64u;
    size_t bytes = 2 * list;
    int32_t neurons = 0;
    memset(&run, 0, sizeof run);
    run.network = network;
    for (int32_t l = 0; l < network->layer_count; l++) {
        bytes += lay_out(&run.layers[l], &network->layers[l], NULL);
        neurons += network->layers[l].neurons;
    }
    void *allocated = calloc(bytes + 64, 1);
    if (allocated == NULL) {
        return -1;
    }
    char *memory = (char *)allocated + (64 - (uintptr_t)allocated % 64); /* vectors need it */
    run.next = (int32_t *)(void *)memory;
    run.arriving = (int32_t *)(void *)(memory + list);
    char *at = memory + 2 * list;
    for (int32_t l = 0; l < network->layer_count; l++) {
        at += lay_out(&run.layers[l], &network->layers[l], at);
        slice(&run.layers[l], &network->layers[l]);
    }
    int32_t outputs = network->layers[network->layer_count - 1].neurons;
    for (int64_t k = 0; k < count; k++) {
        run_times(&run, images + k * network->layers[0].inputs, times + k * neurons, readout + k * outputs, answer + k,
                  response_time + k, spikes + k);
    }
    free(allocated);
    return 0;
}
