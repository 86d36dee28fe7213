/*
 * bs4nn_look.c - words of 32 neurons of a hidden layer that are due: they catch up with the spikes that they have missed,
 * fire, and are put down for the next spike at which one of them could fire. bs4nn_look_*.S do the same for Cortex-M, and
 * leave to this file only how neurons fire in other cases than the most frequent one.
 */
#include "bs4nn_adders.h"
#include "bs4nn_state.h"

/* Write the firing times of neurons of a word into the trace; `first` is its first neuron. */
static COLD void note_firing_times(const layer_t *layer, uint32_t first, uint32_t fired)
{
    const run_t *run = layer->run;
    uint16_t *times = run->trace->firing_times + first;
    for (uint32_t k = 0; k < layer->index; k++) {
        times += run->network->layers[k].neurons;
    }
    for (; fired != 0u; fired &= fired - 1u) {
        times[lowest_bit(fired)] = (uint16_t)layer->firing_time;
    }
}

/* Neurons of word w fire, `fired` of them, at least one: hand their spikes to the layer above. */
static COLD void fire_hidden(const layer_t *layer, uint32_t w, uint32_t fired)
{
    run_t *run = layer->run;
    uint32_t first = w * WORD_BITS;
    if (layer->firing_time >= run->network->time_steps) { /* too late to arrive anywhere */
        return;
    }
    run->in_flight = 1;
    if (run->trace != NULL) {
        note_firing_times(layer, first, fired);
    }
    if (layer->index + 1u < run->network->hidden_layers) {
        uint32_t *counts = counts_of(run, layer->index + 1u);
        half_t *spikes = sent_spikes(run, layer->index + 1u);
        for (; fired != 0u; fired &= fired - 1u) {
            spikes[counts[SENT]++] = (uint16_t)(first + lowest_bit(fired));
        }
    } else {
        for (; fired != 0u; fired &= fired - 1u) {
            bs4nn_arrive(run, first + lowest_bit(fired));
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
    run->in_flight = 1;
    KEEP_HERE(rows);
    do {
        *slot++ = rows[lowest_bit(fired)];
        KEEP_HERE(slot);
        if (slot == end) {
            slot = bs4nn_count_full_batch(run);
        }
        KEEP_HERE(fired);
        fired &= fired - 1u;
    } while (fired != 0u);
    run->slot = slot;
}
#endif

/* The alive lanes from -8 to -1: all planes from the fourth on are set. */
static uint32_t lanes_below_zero(const layer_t *layer, const uint32_t *planes, uint32_t alive)
{
    alive &= planes[3] & planes[4] & planes[5] & planes[6];
    for (uint32_t p = MIN_PLANES; p < layer->top; p++) {
        alive &= planes[p];
    }
    return alive;
}

/*
 * Find the alive lanes that lack least to the level, and return how much: they are, if there are any, among the
 * positive ones, which lack 8 less than those from -8 to -1; without those either all lack more still.
 */
static ALWAYS_INLINE uint32_t find_nearest(const layer_t *layer, const uint32_t *planes, uint32_t alive, uint32_t positive,
                                           uint32_t *nearest)
{
    uint32_t lanes = positive;
    uint32_t lack = layer->level;
    uint32_t x;
    if (lanes == 0u) {
        lanes = lanes_below_zero(layer, planes, alive);
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
static inline const uint32_t *column_of(const layer_t *layer, uint32_t w)
{
    return (const uint32_t *)(const void *)((const uint8_t *)layer->columns + w * layer->column_bytes);
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

/* Add `carry` to the planes from `plane` on, of which there are `extra` beyond `sure`, three or four. Returns the sign. */
static ALWAYS_INLINE uint32_t count_up(uint32_t *plane, uint32_t extra, uint32_t carry, uint32_t sure)
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
    for (plane += sure; extra != 0u; extra--, plane++) {
        UP(0);
    }
    return x;
#undef UP
}

/* Add a + b - 1, which is -1, 0 or 1 in every lane, to four planes and `extra`. Returns the sign. */
static IN_PLACE_IF_ROOM uint32_t count_down(uint32_t *plane, uint32_t extra, uint32_t a, uint32_t b)
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
    for (plane += 4; extra != 0u; extra--, plane++) {
        DOWN(0);
    }
    return x;
#undef DOWN
}

/* Take one off in every lane: seldom more than one. */
static COLD void count_one_down(uint32_t *plane, uint32_t extra)
{
    count_down(plane, extra, 0, 0);
}

/* Add two bits to plane 3, and take off the eights by which the level has gone up. Returns the sign of the counters. */
static ALWAYS_INLINE uint32_t count_eights(const layer_t *layer, uint32_t *record, uint32_t eights, uint32_t carry)
{
    uint32_t *planes = record + RECORD + 3;
    uint32_t drop = layer->eighths - (((record[NEXT] >> 16) + layer->shift) >> 4);
    if (drop == 0u) {
        uint32_t plane = *planes;
        *planes++ = plane ^ eights ^ carry;
        return count_up(planes, layer->extra_planes, (plane & (eights | carry)) | (eights & carry), 3);
    }
    for (; drop > 1u; drop--) { /* seldom */
        count_one_down(planes, layer->extra_planes);
    }
    return count_down(planes, layer->extra_planes, eights, carry);
}

/* Let a word catch up with all spikes. Returns the sign of the counters. */
static ALWAYS_INLINE uint32_t catch_up(const layer_t *layer, uint32_t *record, const uint32_t *column)
{
    uint32_t *planes = record + RECORD;
    uint32_t seen = record[NEXT] >> 16;
    const half_t *spike = layer->spikes + seen;
    uint32_t p0 = planes[0];
    uint32_t p1 = planes[1];
    uint32_t p2 = planes[2];
    uint32_t eights = 0;
    KEEP_HERE(eights);
    uint32_t carry = 0;
    uint32_t count = layer->arrived - seen;
    const half_t *end = spike + (count & ~7u);
    if (spike != end) {
        for (;;) {
            pair_t twos = add_four_rows(&p0, column, spike);
            pair_t others = add_four_rows(&p0, column, spike + 4);
            spike += 8;
            KEEP_IF_ROOM(spike);
            eights = add_pair(&p2, add_pairs(&p1, twos, others));
            if (spike == end) {
                break;
            }
            count_up(planes + 3, layer->extra_planes, eights, 4);
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
    return count_eights(layer, record, eights, carry);
}
#endif

/* The neurons of word w that an odd distance lets fire with one less than the others, after `eights` as below. */
static COLD uint32_t firing_odd(const layer_t *layer, const uint32_t *planes, uint32_t w, uint32_t alive, uint32_t eights)
{
    const bs4nn_layer_t *packed = layer->packed;
    uint32_t odd = packed->start[(w + 1u) * (packed->start_planes + 1u) - 1u];
    if (((layer->arrived + layer->threshold) & 1u) == 0u) {
        return 0;
    }
    return odd & (layer->level != 0u ? alive & ~planes[layer->top - 1u] & (eights | bs4nn_lanes_at_least(planes, 3, layer->level - 1u))
                                  : lanes_below_zero(layer, planes, alive) & planes[0] & planes[1] & planes[2]);
}

/* The neurons of word w that fire. */
static ALWAYS_INLINE uint32_t firing(const layer_t *layer, const uint32_t *planes, uint32_t w, uint32_t alive,
                                     uint32_t positive)
{
    uint32_t level = layer->level;
    /* Those whose counter is at least the level: plane by plane, from the lowest. */
    uint32_t fired = (level & 1u) != 0u ? planes[0] : UINT32_MAX;
    fired = (level & 2u) != 0u ? fired & planes[1] : fired | planes[1];
    fired = (level & 4u) != 0u ? fired & planes[2] : fired | planes[2];
    fired &= positive;
    if (layer->unusual != 0u) {
        uint32_t eights = planes[3] | planes[4] | planes[5] | planes[6];
        for (uint32_t p = MIN_PLANES; p < layer->top; p++) {
            eights |= planes[p];
        }
        fired |= positive & eights;
        if (layer->odd != 0u) {
            fired |= firing_odd(layer, planes, w, alive, eights);
        }
    }
    return fired;
}

/* Neurons of word w fire, `fired` of them, at least one. Returns those that are left. */
static ALWAYS_INLINE uint32_t fire(const layer_t *layer, uint32_t *record, uint32_t w, uint32_t fired)
{
    uint32_t alive = record[ALIVE] & ~fired;
    record[ALIVE] = alive;
#if !BS4NN_ASSEMBLY
    if (layer->direct) {
        fire_direct(layer->run, w, fired);
        return alive;
    }
#endif
    fire_hidden(layer, w, fired);
    return alive;
}

/* Find the alive lanes that lack least. Returns after how many more spikes one of them could fire. */
static ALWAYS_INLINE uint32_t find_gap(const layer_t *layer, const uint32_t *planes, uint32_t alive, uint32_t positive,
                                       uint32_t *nearest)
{
    uint32_t gap = 2u * find_nearest(layer, planes, alive, positive, nearest) - layer->margin;
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
ONE_OF_MANY COLD uint32_t bs4nn_fire_word(layer_t *layer, uint32_t *record, uint32_t w)
{
    const uint32_t *planes = record + RECORD;
    uint32_t alive = record[ALIVE];
    uint32_t fired = firing(layer, planes, w, alive, layer->positive);
    if (fired != 0u) {
        alive = fire(layer, record, w, fired);
        if (alive == 0u) {
            return 0;
        }
    }
    return find_gap(layer, planes, alive, layer->positive & alive, &layer->nearest);
}

#else

/* Look at word w and at those that are linked to it. Each is put down for when it is due next. */
ONE_OF_MANY COLD void bs4nn_look_at_list(layer_t *layer, uint32_t w)
{
    do {
        uint32_t *record = record_of(layer, w);
        const uint32_t *column = column_of(layer, w);
        KEEP_HERE(record);
        uint32_t sign = catch_up(layer, record, column);
        uint32_t next = record[NEXT] & NO_WORD;
        uint32_t alive = record[ALIVE];
        uint32_t positive = alive & ~sign;
        uint32_t lanes;
        if (positive != 0u || layer->odd != 0u) {
            uint32_t fired = firing(layer, record + RECORD, w, alive, positive);
            if (fired != 0u) {
                alive = fire(layer, record, w, fired);
                if (alive == 0u) { /* nobody left: never put down again */
                    w = next;
                    continue;
                }
                positive &= alive;
            }
        }
        uint32_t gap = find_gap(layer, record + RECORD, alive, positive, &lanes);
        KEEP_HERE(gap);
        /* If every neuron that could fire next is going to meet a synapse of -1 before, it is two spikes later. */
        const half_t *spike = layer->spikes + layer->arrived;
        const half_t *end = (uint32_t)(layer->spikes_end - spike) < gap ? layer->spikes_end : spike + gap;
        while (spike != end) {
            lanes &= column[*spike++];
            if (lanes == 0u) {
                gap += 2u;
                break;
            }
        }
        half_t *slot = &layer->ring[(layer->arrived + gap) % RING];
        record[NEXT] = *slot | layer->arrived << 16;
        *slot = (uint16_t)w;
        w = next;
    } while (w != NO_WORD);
}

#endif
