/*
 * bs4nn_init.c - what a network says of itself, and whether that, and the workspace, can be right.
 */
#include "bs4nn_layout.h"

uint16_t bs4nn_inputs(const bs4nn_network_t *network)
{
    return (uint16_t)inputs_of(network);
}

uint32_t bs4nn_neurons(const bs4nn_network_t *network)
{
    uint32_t neurons = network->output.neurons;
    for (uint32_t l = 0; l < network->hidden_layers; l++) {
        neurons += network->hidden[l].neurons;
    }
    return neurons;
}

/* Words of a hidden layer in the workspace. */
static uint32_t state_words(const bs4nn_network_t *network, uint32_t l)
{
    const bs4nn_hidden_t *layer = &network->hidden[l];
    return layer->words * (RECORD + layer->planes) + RING_WORDS + COUNTS
         + (l != 0u ? spikes_words(layer->inputs) : 0u);
}

/* A hidden layer of so many inputs, whose state begins at word `state`. */
static int hidden_is_sound(const bs4nn_hidden_t *layer, uint32_t inputs, uint32_t state)
{
    return layer->inputs == inputs && inputs != 0u && layer->neurons != 0u && layer->columns != NULL
        && layer->words == (layer->neurons + WORD_BITS - 1u) / WORD_BITS && layer->threshold != 0u
        && layer->planes >= MIN_PLANES && layer->planes <= MAX_PLANES && spikes_held(layer, layer->planes) >= inputs
        && (layer->start == NULL ? layer->spread == 0u : layer->start_planes < layer->planes)
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
    uint32_t inputs = inputs_of(network);
    uint32_t words = PLACES_WORDS + spikes_words(inputs) + output_words(output) * (output->planes + OUTPUT_RECORD);
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
