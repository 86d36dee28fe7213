/*
 * bs4nn_decide.c - the output layer: rows of synapses are counted eight at a time, and the first neurons to fire, or the
 * potentials after the readout step, give the answer.
 */
#include "bs4nn_adders.h"
#include "bs4nn_state.h"

/* Set up the output layer for a new image. */
ONE_OF_MANY COLD void bs4nn_reset_output(run_t *run)
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

/* Count eight rows in the planes of a word. */
static void count_rows(uint32_t *planes, const uint32_t *row)
{
    pair_t twos = add_pairs(&planes[0], pair_of(row[0], row[1]), pair_of(row[2], row[3]));
    pair_t others = add_pairs(&planes[0], pair_of(row[4], row[5]), pair_of(row[6], row[7]));
    uint32_t eights = add_pair(&planes[2], add_pairs(&planes[1], twos, others));
    for (uint32_t *plane = planes + 3; eights != 0u; plane++) {
        *plane ^= eights;
        eights &= ~*plane;
    }
}

#if !BS4NN_ASSEMBLY
/* Count a full batch of an output layer of one word. Returns where the next row goes. */
ONE_OF_MANY COLD uint32_t *bs4nn_count_full_batch(run_t *run)
{
    run->output_counted += BATCH;
    count_rows(run->output_planes, run->output_batch);
    return run->output_batch;
}
#endif

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
ONE_OF_MANY COLD void bs4nn_arrive(run_t *run, uint32_t i)
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
ONE_OF_MANY COLD uint32_t bs4nn_lanes_at_least(const uint32_t *planes, uint32_t count, uint32_t level)
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

/* Look at the output neurons after everything has arrived at this step. */
ONE_OF_MANY COLD void bs4nn_look_at_output(run_t *run, uint32_t firing_time)
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
            uint32_t fired = bs4nn_lanes_at_least(planes, output->planes, (n + output->threshold + 1u) >> 1);
            if (odd != 0u) {
                fired |= bs4nn_lanes_at_least(planes, output->planes, (n + output->threshold) >> 1) & odd;
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
        run->result.spikes = bs4nn_spikes_so_far(run);
    }
}

/* The potentials that decide if nobody fires. */
ONE_OF_MANY COLD void bs4nn_read_out(run_t *run)
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
