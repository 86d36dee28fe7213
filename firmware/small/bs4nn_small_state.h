/*
 * bs4nn_small_state.h - what C and assembly of the small kernel hand each other: an inference, and the layer that is
 * looked at.
 *
 * Fields that the assembly reads stand in lists, one line a field: bytes from the start of the structure, type and name.
 * C makes the structure of its list, and refuses to compile where a field comes to lie elsewhere; for the assembly the
 * list makes symbols, layer_spikes and so on.
 */
#ifndef BS4NN_SMALL_STATE_H
#define BS4NN_SMALL_STATE_H

#include "bs4nn_layout.h"

/* Of layer_t. */
#define LAYER_FIELDS(FIELD)                                                                                           \
    FIELD(0, const half_t *, spikes)                   /* sent to it; those to the output layer are counted at once */ \
    FIELD(4, uint32_t, arrived)                        /* so many of them */                                          \
    FIELD(8, half_t *, ring)                           /* of every spike the first word that is due at it */          \
    FIELD(12, uint32_t *, records)                     /* of all words */                                             \
    FIELD(16, uint32_t, record_bytes)                                                                                 \
    FIELD(20, const uint32_t *, columns)                                                                              \
    FIELD(24, uint32_t, column_bytes)                                                                                 \
    FIELD(28, uint32_t, goal)                          /* arrived + the highest threshold: who has as much fires */   \
    FIELD(32, uint32_t, extra_planes)                  /* in use beyond SURE_PLANES */                                \
    FIELD(36, const uint32_t *, odd)                   /* the first word's odd distances; NULL with one threshold */  \
    FIELD(40, const half_t *, spikes_end)              /* of those known before they come; NULL if none is */         \
    FIELD(44, const uint16_t *, rows)                  /* of the output layer, if the assembly counts them; else NULL */ \
    FIELD(48, struct run *, run)                                                                                      \
    FIELD(52, uint32_t, odd_bytes)                     /* from a word's odd distances to the next one's */

/* Of run_t: counters and counts of the output layer. */
#define RUN_FIELDS(FIELD)                                                                                             \
    FIELD(0, uint32_t *, planes)                                                                                      \
    FIELD(4, counts_t, counts)

/* Bytes of stack, for whoever adds them up: of look_at_list in assembly, and what it pushes within it at the most. */
#define THUMB_2_LOOK_STACK 56
#define THUMB_2_MOST_STACK 4
#define THUMB_1_LOOK_STACK 48
#define THUMB_1_MOST_STACK 0

#if defined(__ASSEMBLER__)

#define LAYER_SYMBOL(offset, type, field) .equ layer_##field, offset;
#define RUN_SYMBOL(offset, type, field) .equ run_##field, offset;
LAYER_FIELDS(LAYER_SYMBOL)
RUN_FIELDS(RUN_SYMBOL)

#else

#define INPUT_INLINE inline /* small rather than fast */
#include "bs4nn_encode.h"

#define SURE_PLANES 6u /* that every record has */

/* A layer's counts. */
#define SENT 0u /* spikes that have been sent to it */
#define DUE 1u  /* so many of them at which a word has to be looked at */
typedef uint32_t counts_t[2];

struct run;

/* A layer that is looked at. */
typedef struct {
    LAYER_FIELDS(FIELD_MEMBER)

    const bs4nn_layer_t *packed;
    uint32_t index;    /* among the layers */
} BS4NN_ALIGNED layer_t;

/* One inference. */
typedef struct run {
    RUN_FIELDS(FIELD_MEMBER)

    const bs4nn_network_t *network;
    uint32_t *workspace;
    const bs4nn_trace_t *trace; /* NULL: stop with the first output spike */
    uint32_t output;            /* the output layer's number */
    uint32_t now;               /* the step */
    uint32_t *first;            /* counts of the layer that takes the pixels' spikes */
    int32_t highest;            /* potential of the answer when it fired */
    bs4nn_result_t result;
    layer_t entered[2];         /* the hidden layer that was looked at last, and the output layer */
    input_t input;
    uint32_t scratch[RING_WORDS]; /* the output layer has no use for a ring */
    uint8_t decided;            /* an output neuron has fired */
    uint8_t read_out;           /* the readout step has passed */
} BS4NN_ALIGNED run_t;

#if BS4NN_ASSEMBLY
#define CHECK_LAYER(offset, type, field) FIELD_CHECK(layer_t, field, offset)
#define CHECK_RUN(offset, type, field) FIELD_CHECK(run_t, field, offset)
LAYER_FIELDS(CHECK_LAYER)
RUN_FIELDS(CHECK_RUN)
#endif

#endif /* __ASSEMBLER__ */

#endif /* BS4NN_SMALL_STATE_H */
