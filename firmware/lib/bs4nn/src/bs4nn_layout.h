/*
 * bs4nn_layout.h - what the sources of the library share and nobody else needs: bits, and the layout of the workspace.
 *
 * From the start: a place for every intensity, the pixels' spikes, the output layer, and the hidden layers from the
 * input side, each from its `state` on.
 */
#ifndef BS4NN_LAYOUT_H
#define BS4NN_LAYOUT_H

#include "bs4nn.h"

#define WORD_BITS 32u

/* Counters for 65,535 inputs and the largest threshold and lead. */
#define MAX_PLANES 18u
#define MIN_PLANES 7u
#define MAX_OUTPUT_PLANES 17u
#define MIN_OUTPUT_PLANES 3u

/* Words that hold a place for every intensity. */
#define PLACES_WORDS 128u

/* Words are put down for one of the next RING spikes; who is due later is looked at for nothing, once. */
#define RING 32u
#define RING_WORDS (RING / 2u)

/* Words of a hidden layer's counts, and, before its bit planes, of every word of neurons. */
#define COUNTS 4u
#define RECORD 2u

/* Spikes to the output layer are counted eight at a time. Words of every word of output neurons, but for bit planes. */
#define BATCH 8u
#define OUTPUT_RECORD (2u + BATCH)

/* The workspace is declared as words; parts of it are used as half-words. */
#if defined(__GNUC__)
typedef uint16_t __attribute__((__may_alias__)) half_t;
/* Keeps the compiler from replacing a short loop by a call of memset. */
#define KEEP_LOOP() __asm__ volatile("")
/* Seldom done: small rather than fast. */
#define COLD __attribute__((__noinline__, __cold__))
#else
typedef uint16_t half_t;
#define KEEP_LOOP() ((void)0)
#define COLD
#endif

static inline uint32_t inputs_of(const bs4nn_network_t *network)
{
    return network->hidden_layers != 0u ? network->hidden[0].inputs : network->output.inputs;
}

/* Index of the lowest set bit. */
static inline uint32_t lowest_bit(uint32_t word)
{
#if defined(__GNUC__) && (!defined(__arm__) || defined(__ARM_FEATURE_CLZ))
    return (uint32_t)__builtin_ctz(word);
#else /* a core without a count of zeros: a multiplication by a de Bruijn sequence */
    static const uint8_t index[32] = {0,  1,  28, 2,  29, 14, 24, 3, 30, 22, 20, 15, 25, 17, 4,  8,
                                      31, 27, 13, 23, 21, 19, 16, 7, 26, 12, 18, 6,  11, 5,  10, 9};
    return index[(uint32_t)((word & (0u - word)) * 0x077CB531u) >> 27];
#endif
}

/* The lanes of word w that hold one of so many neurons. */
static inline uint32_t alive_lanes(uint32_t neurons, uint32_t w)
{
    neurons -= w * WORD_BITS;
    return neurons < WORD_BITS ? ((uint32_t)1u << neurons) - 1u : UINT32_MAX;
}

static inline uint32_t spikes_words(uint32_t inputs)
{
    return (inputs + 1u) / 2u;
}

static inline uint32_t output_words(const bs4nn_output_t *output)
{
    return (output->halfwords + 1u) / 2u;
}

/* After so many spikes `planes` planes still hold every counter that matters, which is below 2^(planes - 1). */
static inline uint32_t spikes_held(const bs4nn_hidden_t *layer, uint32_t planes)
{
    uint32_t most = ((uint32_t)1u << (planes - 1u)) - 8u; /* of (n + threshold + 1) / 2 + spread */
    uint32_t taken = 2u * layer->spread + layer->threshold;
    return 2u * most > taken ? 2u * most - taken : 0u;
}

#endif /* BS4NN_LAYOUT_H */
