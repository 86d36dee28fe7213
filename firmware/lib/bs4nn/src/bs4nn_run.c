/*
 * bs4nn_run.c - the fast kernel: event-driven, bit-sliced, lazy, exact. This file goes through the steps of an image.
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
#include "bs4nn_state.h"

/* Input and hidden spikes so far. */
ONE_OF_MANY COLD uint32_t bs4nn_spikes_so_far(const run_t *run)
{
    uint32_t layers = run->network->hidden_layers;
    uint32_t spikes = run->input.delivered + (layers != 0u ? output_arrived(run) : 0u);
    for (uint32_t l = 1; l < layers; l++) {
        spikes += counts_of(run, l)[SENT];
    }
    return spikes;
}

/* Everything that happens at hidden layer l at one step. */
static ALWAYS_INLINE void run_layer(run_t *run, layer_t *layer, uint32_t l, uint32_t step)
{
    if (layer->index != l) {
        bs4nn_enter_layer(layer, run, l);
    }
    layer->arrived = l == 0u ? run->input.delivered : layer->counts[SENT];
    if (layer->arrived >= layer->counts[DUE]) {
        uint32_t fresh = run->fresh;
        if (l != 0u) {
            fresh = layer->arrived - layer->counts[ARRIVED];
            layer->spikes_end = layer->spikes + layer->arrived; /* what comes is not known */
        }
        layer->firing_time = step + run->network->delay;
        if (layer->firing_time >= run->network->time_steps) {
            layer->direct = 0; /* too late to arrive anywhere */
        }
        bs4nn_look_at_words(layer, fresh);
    }
}

static COLD void run_output(run_t *run, uint32_t step)
{
    if (output_arrived(run) >= run->output_due) {
        uint32_t firing_time = step + run->network->delay;
        if (firing_time < run->network->time_steps) {
            bs4nn_look_at_output(run, firing_time);
        }
    }
}

/*
 * One step, all layers. Without delay a spike travels up within the step, so layers go from the input side
 * up; with a delay of one step each layer takes what fired below it at the step before, so they go from the
 * output side down. Returns whether the answer is found, and nothing more asked for.
 */
static inline int run_step(run_t *run, layer_t *layer, uint32_t step)
{
    const bs4nn_network_t *network = run->network;
    uint32_t layers = network->hidden_layers;
    uint32_t l;
    if (network->delay == 0u || layers == 0u) {
        for (l = 0; l < layers; l++) {
            run_layer(run, layer, l, step);
        }
        if (run->in_flight || layers == 0u) {
            run->in_flight = 0;
            run_output(run, step);
        }
        return run->finished;
    }
    if (run->in_flight) {
        run->in_flight = 0;
        run_output(run, step);
        if (run->finished) {
            return 1;
        }
    }
    if (step == network->readout_step) {
        bs4nn_read_out(run); /* before this step's hidden spikes, which arrive at the next one */
    }
    l = layers - 1u;
    do {
        run_layer(run, layer, l, step);
    } while (l-- != 0u);
    if (run->in_flight && output_arrived(run) < run->output_due) {
        l = layers;
        do {
            l--;
        } while (l != 0u && counts_of(run, l)[SENT] < counts_of(run, l)[DUE]);
        run->in_flight = l; /* else what arrives makes nobody fire */
    }
    return 0;
}

/* Let the pixels fire whose step it is. */
static inline void deliver_pixels(run_t *run, uint32_t step)
{
    uint32_t first = run->input.delivered;
    deliver(&run->input, step);
    run->fresh = run->input.delivered - first;
    if (run->network->hidden_layers == 0u) {
        for (; first != run->input.delivered; first++) {
            bs4nn_arrive(run, run->input.spikes[first]);
        }
    }
}

static void run_image(run_t *run)
{
    static const uint32_t always = 1;
    const bs4nn_network_t *network = run->network;
    const uint32_t *due = network->hidden_layers != 0u ? counts_of(run, 0) + DUE : &always;
    uint32_t stop = network->readout_step + 1u; /* the step at which it is too late to read out, then T */
    uint32_t step = 0;
    layer_t layer;

    layer.index = UINT32_MAX; /* no layer yet */

    for (;;) {
        step++;
        if (!run->in_flight) {
            skip_intensities(&run->input, *due);
            step = run->input.step;
        }
        if (step >= stop) {
            if (!run->read_out) {
                bs4nn_read_out(run);
            }
            stop = network->time_steps;
            if (step >= stop) {
                return;
            }
        }
        deliver_pixels(run, step);
        if (run_step(run, &layer, step)) {
            return;
        }
    }
}

static int run_and_report(bs4nn_t *net, const uint8_t *pixels, const bs4nn_trace_t *trace, bs4nn_result_t *result)
{
    if (net == NULL || net->network == NULL || pixels == NULL) {
        return BS4NN_ERROR_ARGUMENT;
    }
    const bs4nn_network_t *network = net->network;
    run_t run; /* field by field, for an initializer would call memset */
    half_t *places = (half_t *)net->workspace;
    run.output_counted = 0;
    run.in_flight = 0;
    run.fresh = 0;
    run.result.answer = 0;
    run.result.spikes = 0;
    run.decided = 0;
    run.finished = 0;
    run.read_out = 0;
    run.network = network;
    run.workspace = net->workspace;
    run.trace = trace;
    run.output = &network->layers[network->hidden_layers];
    run.output_planes = net->workspace + run.output->state;
    run.rows = network->rows;
    run.halfwords = halfwords_of(run.output);
    run.result.response_time = network->time_steps;
    run.input.spikes = (half_t *)(net->workspace + network->workspace_words - spikes_words(inputs_of(network)));
    run.input.known = bs4nn_sort_pixels(places, run.input.spikes, pixels, inputs_of(network));

    int error = begin_input(&run.input, network, places);
    if (error != 0) {
        return error;
    }
    bs4nn_reset_output(&run);
    for (uint32_t l = 0; l < network->hidden_layers; l++) {
        bs4nn_reset_layer(&run, l);
    }
    if (trace != NULL) {
        for (uint32_t j = 0; j < bs4nn_neurons(network); j++) {
            trace->firing_times[j] = network->time_steps;
        }
    }
    run_image(&run);
    if (!run.decided) {
        run.result.spikes = bs4nn_spikes_so_far(&run);
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
