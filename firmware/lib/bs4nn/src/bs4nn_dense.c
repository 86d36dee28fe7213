/*
 * bs4nn_dense.c - hidden layers whose neurons see all inputs: their counters, and which words are due at which spike.
 */
#include "bs4nn_adders.h"
#include "bs4nn_state.h"

/* Set up the counts of hidden layer l for a new image. */
ONE_OF_MANY COLD void bs4nn_reset_layer(const run_t *run, uint32_t l)
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

/* Sum of three numbers of 0 or 1 in every lane, and the carry: a full adder. */
static inline uint32_t full_add(uint32_t a, uint32_t b, uint32_t c, uint32_t *carry)
{
    uint32_t half = a ^ b;
    *carry = (a & b) | (half & c);
    return half ^ c;
}

/* Add the leads of neurons with lower thresholds to the counters. */
static COLD void add_leads(const layer_t *layer)
{
    const bs4nn_layer_t *packed = layer->packed;
    const uint32_t *start = packed->start;
    for (uint32_t w = 0; w < packed->words; w++) {
        uint32_t *plane = record_of(layer, w) + RECORD;
        uint32_t carry = 0;
        for (uint32_t p = 0; p < layer->top; p++) {
            plane[p] = full_add(plane[p], p < packed->start_planes ? start[p] : 0u, carry, &carry);
        }
        start += packed->start_planes + 1u;
    }
}

/* Set up the counters of a layer for the first look, and link all its words. */
static COLD void set_up(const layer_t *layer)
{
    const bs4nn_layer_t *packed = layer->packed;
    uint32_t *record = layer->records;
    uint32_t words = packed->words;
    uint32_t below = 0u - layer->eighths; /* the counters start at minus that many eights */
    uint32_t p3 = 0u - (below & 1u);
    uint32_t p4 = 0u - (below >> 1 & 1u);
    uint32_t p5 = 0u - (below >> 2 & 1u);
    uint32_t p6 = 0u - (below >> 3 & 1u);
    for (uint32_t w = 0; w < words; record = record_of(layer, w)) {
        uint32_t *plane = record + RECORD;
        record[ALIVE] = UINT32_MAX;
        record[NEXT] = ++w;
        plane[0] = plane[1] = plane[2] = 0;
        plane[3] = p3;
        plane[4] = p4;
        plane[5] = p5;
        plane[6] = p6;
    }
    for (uint32_t p = MIN_PLANES; p < layer->top; p++) {
        for (uint32_t w = 0; w < words; w++) {
            record_of(layer, w)[RECORD + p] = 0u - (below >> (p - 3u) & 1u);
        }
    }
    record = record_of(layer, words - 1u);
    record[ALIVE] = alive_lanes(packed->neurons, words - 1u);
    record[NEXT] = NO_WORD;
    if (packed->start != NULL) {
        add_leads(layer);
    }
}

/* Put down all words that have a neuron left as due. Returns the first; the others follow by NEXT. */
static COLD uint32_t all_due(const layer_t *layer)
{
    uint32_t next = NO_WORD;
    for (uint32_t k = 0; k < RING; k++) {
        layer->ring[k] = NO_WORD;
        KEEP_LOOP();
    }
    for (uint32_t w = layer->packed->words; w-- > 0u;) {
        uint32_t *record = record_of(layer, w);
        if (record[ALIVE] != 0u) {
            record[NEXT] = (record[NEXT] & SEEN) | next;
            next = w;
        }
    }
    return next;
}

/* Use so many planes. */
static void use_planes(layer_t *layer, uint32_t planes)
{
    layer->counts[TOP] = planes;
    layer->top = planes;
    layer->extra_planes = planes - MIN_PLANES;
    layer->limit = spikes_held(layer->packed, planes);
}

/* Take more planes, for n spikes; the sign extends into them. */
static COLD void add_planes(layer_t *layer)
{
    while (layer->arrived > layer->limit) {
        uint32_t *sign = layer->records + RECORD + layer->top - 1u;
        uint32_t stride = layer->record_bytes / (uint32_t)sizeof(uint32_t);
        for (uint32_t left = layer->packed->words; left != 0u; left--) {
            sign[1] = sign[0];
            sign += stride;
        }
        use_planes(layer, layer->top + 1u);
    }
}

/* What stays the same for hidden layer l. */
ONE_OF_MANY COLD void bs4nn_enter_layer(layer_t *layer, run_t *run, uint32_t l)
{
    const bs4nn_layer_t *packed = &run->network->layers[l];
    layer->run = run;
    layer->rows = run->rows;
    layer->packed = packed;
    layer->spikes = l != 0u ? sent_spikes(run, l) : run->input.spikes;
    layer->spikes_end = layer->spikes + run->input.known;
    layer->shift = packed->threshold + 1u;
    layer->counts = counts_of(run, l);
    layer->ring = (half_t *)(layer->counts + COUNTS);
    layer->records = layer->counts + COUNTS + RING_WORDS;
    layer->record_bytes = (RECORD + packed->planes) * (uint32_t)sizeof(uint32_t);
    layer->columns = packed->columns;
    layer->column_bytes = packed->inputs * (uint32_t)sizeof(uint32_t);
    layer->odd = packed->start != NULL;
    layer->threshold = packed->threshold;
    layer->index = l;
    use_planes(layer, layer->counts[TOP]);
    layer->direct = l + 1u == run->network->hidden_layers && run->halfwords == 1u && run->trace == NULL
              && layer->odd == 0u;
}

/* Look at all words, since none has ever been looked at, or none is in the ring any more. */
static COLD void look_at_all_words(layer_t *layer)
{
    if (layer->counts[ARRIVED] == 0u) {
        set_up(layer);
        layer->shift += layer->arrived;
        bs4nn_look_at_list(layer, 0);
        layer->shift -= layer->arrived;
    } else {
        uint32_t w = all_due(layer);
        if (w != NO_WORD) {
            bs4nn_look_at_list(layer, w);
        }
    }
}

/* Look at the words of a layer that are due, after n spikes, of which `fresh` have come at this step. */
ONE_OF_MANY COLD void bs4nn_look_at_words(layer_t *layer, uint32_t fresh)
{
    uint32_t *counts = layer->counts;
    half_t *ring = layer->ring;
    uint32_t n = layer->arrived;
    uint32_t k = counts[DUE];
    uint32_t level = n + layer->threshold + 1u;
    layer->eighths = level >> 4;
    layer->margin = (~level & 1u) + layer->odd;
    level = level >> 1 & 7u;
    layer->level = level;
    layer->overflow = level + (fresh >> 1) >= 8u;
    layer->unusual = layer->overflow | layer->odd;
    if (n > layer->limit) {
        add_planes(layer);
    }
    if (n - counts[ARRIVED] > RING || counts[ARRIVED] == 0u) { /* nobody is put down for later than that */
        look_at_all_words(layer);
        k = n + 1u;
    }
    counts[ARRIVED] = n;
    for (; k <= n; k++) {
        half_t *slot = &ring[k % RING];
        uint32_t w = *slot;
        if (w != NO_WORD) {
            *slot = NO_WORD;
            bs4nn_look_at_list(layer, w);
        }
    }
    while (ring[k % RING] == NO_WORD) {
        if (k == n + RING) {
            k = UINT16_MAX;
            break;
        }
        k++;
    }
    counts[DUE] = k < UINT16_MAX ? k : UINT16_MAX; /* where skip_intensities() ends */
}
