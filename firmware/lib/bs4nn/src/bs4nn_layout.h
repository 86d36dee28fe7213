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

/* Numbers that C and assembly share; the assembler knows no suffix. */
#if defined(__ASSEMBLER__)
#define NUMBER(digits) digits
#else
#define NUMBER(digits) digits##u
#endif

/* Words are put down for one of the next RING spikes; who is due later is looked at for nothing, once. */
#define RING NUMBER(32)

/* Spikes to the output layer are counted eight at a time. */
#define BATCH NUMBER(8)

/* The record of a word of neurons: so many words before its bit planes. */
#define RECORD NUMBER(2)
#define ALIVE NUMBER(0) /* set bits have not fired yet */
#define NEXT NUMBER(1)  /* the next word that is due at the same spike; in the upper half how many spikes have been counted */

/* A core without a count of zeros: of a bit, times a de Bruijn sequence, the highest five tell its number. */
#define DE_BRUIJN NUMBER(0x077CB531)

#if defined(__ASSEMBLER__)

/* Bytes from the start of a record. */
#define RECORD_ALIVE (4 * ALIVE)
#define RECORD_NEXT (4 * NEXT)
#define RECORD_PLANES (4 * RECORD)
#define TO_PLANE_3 (4 * RECORD + 12)

#if BS4NN_ASSEMBLY
.macro function name
    .syntax unified
    .thumb
    .section .text.\name, "ax", %progbits
    .balign 4
    .weak \name
    .type \name, %function
    .thumb_func
\name:
.endm

.macro end_function name
    .size \name, . - \name
.endm

/* Fields that are loaded together have to stand one after the other. */
.macro together first, second, others:vararg
.if \second - \first - 4
    .error "fields that are loaded together do not stand together"
.endif
.ifnb \others
    together \second, \others
.endif
.endm
#endif

#if defined(__linux__) && defined(__ELF__)
    .section .note.GNU-stack, "", %progbits
#endif

#else

#include "bs4nn_compiler.h"

/* A structure's field as a list has it (bs4nn_state.h), and whether the compiler puts it where assembly looks for it. */
#define FIELD_MEMBER(offset, type, field) type field;
#define FIELD_CHECK(structure, field, offset) \
    typedef char structure##_##field##_is_as_assembly_has_it[offsetof(structure, field) == (offset) ? 1 : -1];

#define WORD_BITS 32u
#define MAX_HIDDEN_LAYERS 254u

/* Counters for 65,535 inputs and the largest threshold and lead. */
#define MAX_PLANES 18u
#define MIN_PLANES 7u

/* Words that hold a place for every intensity. */
#define PLACES_WORDS 128u

/* Words of a hidden layer's counts, of its ring, and of every word of output neurons, but for bit planes. */
#define COUNTS 4u
#define RING_WORDS (RING / 2u)
#define OUTPUT_RECORD (2u + BATCH)
#define NO_WORD 0xFFFFu /* in a ring */

static inline uint32_t inputs_of(const bs4nn_network_t *network)
{
    return network->layers[0].inputs;
}

C_NAME const uint8_t bs4nn_index_of_bit[32]; /* see DE_BRUIJN */

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
