/*
 * bs4nn_layout.h - what the sources of the library share and nobody else needs: bits, and the layout of the workspace.
 *
 * From the start: a place for every intensity, the layers, each from its `state` on, and the pixels' spikes.
 */
#ifndef BS4NN_LAYOUT_H
#define BS4NN_LAYOUT_H

/*
 * What a kernel does most often is there in assembly for Cortex-M, too; BS4NN_PORTABLE does without. It takes bytes and
 * half-words out of words as little-endian cores do, and has instructions that came with ARMv6.
 */
#if defined(__GNUC__) && defined(__thumb__) && !defined(__ARMEB__) && __ARM_ARCH >= 6 && !defined(BS4NN_PORTABLE)
#define BS4NN_ASSEMBLY 1
#else
#define BS4NN_ASSEMBLY 0
#endif

#if !defined(__ASSEMBLER__)

#include "bs4nn.h"

/* Declares what C and assembly call by name, even where C is compiled as C++. */
#ifdef __cplusplus
#define C_NAME extern "C"
#else
#define C_NAME extern
#endif

#define WORD_BITS 32u
#define MAX_HIDDEN_LAYERS 254u

/* Counters for 65,535 inputs and the largest threshold and lead. */
#define MAX_PLANES 18u
#define MIN_PLANES 7u

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

/* Refuse to compile where the assembly would look in the wrong place. */
#define HOLDS(name, condition) typedef char name##_is_as_assembly_has_it[(condition) ? 1 : -1]
#define IS_AT(type, field, offset) HOLDS(type##_##field, offsetof(type, field) == (offset))

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

/*
 * Several libraries of networks in one program bring this kernel each, and some build systems link every object there is:
 * the linker takes one of equal definitions. bs4nn.h sees to it that they are equal.
 */
#if defined(__GNUC__) && defined(__ELF__)
#define ONE_OF_MANY __attribute__((__weak__))
#else
#define ONE_OF_MANY
#endif

static inline uint32_t inputs_of(const bs4nn_network_t *network)
{
    return network->layers[0].inputs;
}

/* A core without a count of zeros: of a bit, times a de Bruijn sequence, the highest five tell its number. */
C_NAME const uint8_t bs4nn_index_of_bit[32];
#define DE_BRUIJN 0x077CB531u

/* Index of the lowest set bit. */
static inline uint32_t lowest_bit(uint32_t word)
{
#if defined(__GNUC__) && (!defined(__arm__) || defined(__ARM_FEATURE_CLZ))
    return (uint32_t)__builtin_ctz(word);
#else
    return bs4nn_index_of_bit[(uint32_t)((word & (0u - word)) * DE_BRUIJN) >> 27];
#endif
}

/* The lanes of word w that hold one of so many neurons. */
static inline uint32_t alive_lanes(uint32_t neurons, uint32_t w)
{
    neurons -= w * WORD_BITS;
    return neurons < WORD_BITS ? ((uint32_t)1u << neurons) - 1u : UINT32_MAX;
}

/* Half-words of a row of the output layer. */
static inline uint32_t halfwords_of(const bs4nn_layer_t *output)
{
    return (output->neurons + 15u) / 16u;
}

static inline uint32_t spikes_words(uint32_t inputs)
{
    return (inputs + 1u) / 2u;
}

/* After so many spikes `planes` planes still hold every counter that matters, which is below 2^(planes - 1). */
static inline uint32_t spikes_held(const bs4nn_layer_t *layer, uint32_t planes)
{
    uint32_t most = ((uint32_t)1u << (planes - 1u)) - 8u; /* of (n + threshold + 1) / 2 + spread */
    uint32_t taken = 2u * layer->spread + layer->threshold;
    return 2u * most > taken ? 2u * most - taken : 0u;
}

#endif /* __ASSEMBLER__ */

#endif /* BS4NN_LAYOUT_H */
