/*
 * bs4nn_init.c - what a network says of itself, and whether that, and the workspace, can be right.
 */
#include "bs4nn_layout.h"

#if !defined(__GNUC__) || (defined(__arm__) && !defined(__ARM_FEATURE_CLZ))
#ifdef __cplusplus
extern "C" /* else a constant would be this file's own */
#endif
ONE_OF_MANY const uint8_t bs4nn_index_of_bit[32] = {0,  1,  28, 2,  29, 14, 24, 3, 30, 22, 20, 15, 25, 17, 4,  8,
                                        31, 27, 13, 23, 21, 19, 16, 7, 26, 12, 18, 6,  11, 5,  10, 9};
#endif

ONE_OF_MANY uint16_t bs4nn_inputs(const bs4nn_network_t *network)
{
    return network == NULL ? 0 : network->layers[0].inputs;
}

ONE_OF_MANY uint32_t bs4nn_neurons(const bs4nn_network_t *network)
{
    uint32_t neurons = 0;
    for (uint32_t l = 0; network != NULL && l <= network->hidden_layers; l++) {
        neurons += network->layers[l].neurons;
    }
    return neurons;
}

/* Whether an array of items of so many bytes, 2, 4 or 8, cannot be there. */
static COLD int is_no_array(const void *array, size_t bytes)
{
    return array == NULL || ((uintptr_t)array & (bytes - 1u)) != 0u;
}

/* Whether a layer contradicts itself. */
static int is_no_layer(const bs4nn_layer_t *layer)
{
    return layer->inputs == 0u || layer->neurons == 0u || layer->threshold == 0u
        || layer->words != (layer->neurons + WORD_BITS - 1u) / WORD_BITS || layer->planes < MIN_PLANES
        || layer->planes > MAX_PLANES || spikes_held(layer, layer->planes) < layer->inputs
        || layer->start_planes >= layer->planes
        /* so many planes as the largest lead has bits: more could let counters run over */
        || (layer->start_planes == 0u ? layer->spread != 0u : layer->spread >> (layer->start_planes - 1u) != 1u)
        || ((layer->start != NULL || layer->start_planes != 0u) && is_no_array(layer->start, sizeof(uint32_t)));
}

/* Whether a network contradicts itself, but for its layers. */
static int is_no_network(const bs4nn_network_t *network)
{
    return network->name == NULL || network->digest == NULL || network->time_steps <= network->readout_step
        || network->delay > 1u || network->intensity_max == 0u || network->hidden_layers > MAX_HIDDEN_LAYERS
        || is_no_array(network->layers, sizeof(void *)) || is_no_array(network->rows, sizeof(uint16_t))
        || (uint32_t)network->steps_a_unit * network->intensity_max + network->remainder_a_unit
               != network->time_steps;
}

/* The words of a workspace; 0 if a layer contradicts itself or the others. */
static COLD uint32_t workspace_words(const bs4nn_network_t *network)
{
    uint32_t inputs = inputs_of(network);
    uint32_t words = PLACES_WORDS;
    for (uint32_t l = 0;; l++) {
        const bs4nn_layer_t *layer = &network->layers[l];
        if (layer->inputs != inputs || layer->state != words || is_no_layer(layer)) {
            return 0;
        }
        inputs = layer->neurons;
        if (l == network->hidden_layers) {
            words += layer->words * (OUTPUT_RECORD + layer->planes);
            break;
        }
        if (is_no_array(layer->columns, sizeof(uint32_t))) {
            return 0;
        }
        words += layer->words * (RECORD + layer->planes) + RING_WORDS + COUNTS
               + (l != 0u ? spikes_words(layer->inputs) : 0u);
    }
    return (words + 3u) / 4u * 4u + spikes_words(inputs_of(network)); /* cleared four words at a time */
}

ONE_OF_MANY COLD int bs4nn_init(bs4nn_t *net, const bs4nn_network_t *network, uint32_t *workspace,
                                size_t workspace_bytes)
{
    if (net == NULL) {
        return BS4NN_ERROR_ARGUMENT;
    }
    net->network = NULL;
    if (network == NULL || workspace == NULL) {
        return BS4NN_ERROR_ARGUMENT;
    }
    if (is_no_network(network)) {
        return BS4NN_ERROR_NETWORK;
    }
    uint32_t words = workspace_words(network);
    if (words == 0u || network->workspace_words != words) {
        return BS4NN_ERROR_NETWORK;
    }
    if (workspace_bytes / sizeof(uint32_t) < words || is_no_array(workspace, sizeof(uint32_t))) {
        return BS4NN_ERROR_WORKSPACE;
    }
    net->network = network;
    net->workspace = workspace;
    return 0;
}
