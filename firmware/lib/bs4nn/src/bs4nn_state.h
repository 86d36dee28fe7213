/*
 * bs4nn_state.h - what the parts of the fast kernel hand each other: an inference, and the hidden layer that is looked at.
 *
 * Fields that the assembly reads stand in lists, one line a field: bytes from the start of the structure, type and name.
 * C makes the structure of its list, and refuses to compile where a field comes to lie elsewhere; for the assembly the
 * list makes symbols, layer_spikes and so on.
 */
#ifndef BS4NN_STATE_H
#define BS4NN_STATE_H

#include "bs4nn_layout.h"

/* Of layer_t. */
#define LAYER_FIELDS(FIELD)                                                                                           \
    FIELD(0, const half_t *, spikes)                   /* that have been sent to it */                                \
    FIELD(4, uint32_t, arrived)                        /* so many of them */                                          \
    FIELD(8, half_t *, ring)                           /* of every spike the first word that is due at it */          \
    FIELD(12, uint32_t, eighths)                       /* (arrived + threshold + 1) >> 1 fires: so many 8s */         \
    FIELD(16, uint32_t, shift)                         /* threshold + 1, and what the counters were set up for */     \
    FIELD(20, uint32_t *, records)                     /* of all words */                                             \
    FIELD(24, uint32_t, record_bytes)                                                                                 \
    FIELD(28, const uint32_t *, columns)                                                                              \
    FIELD(32, uint32_t, column_bytes)                                                                                 \
    FIELD(36, uint32_t, level)                         /* ... and what the eights leave */                            \
    FIELD(40, uint32_t, overflow)                      /* so many new spikes that a counter may have gone past 7 */   \
    FIELD(44, uint32_t, margin)                        /* spikes less than twice the lack that let a neuron fire */   \
    FIELD(48, const half_t *, spikes_end)              /* of the spikes that are known */                             \
    FIELD(52, uint32_t, extra_planes)                  /* in use beyond MIN_PLANES */                                 \
    FIELD(56, uint32_t, positive)                      /* alive lanes from 0 on; in assembly only, as is ... */       \
    FIELD(60, uint32_t, nearest)                       /* ... the alive lanes that lack least */                      \
    FIELD(64, uint32_t, direct)                        /* the assembly itself sends its spikes (see enter_layer) */   \
    FIELD(68, const uint16_t *, rows)                  /* of the output layer */                                      \
    FIELD(72, run_t *, run)

/* Of run_t. */
#define RUN_FIELDS(FIELD)                                                                                             \
    FIELD(0, uint32_t *, output_batch)                 /* words x BATCH rows that have yet to be counted */           \
    FIELD(4, uint32_t *, slot)                         /* where the next one goes */                                  \
    FIELD(8, uint32_t, in_flight)                      /* hidden spikes of the step before have yet to arrive */      \
    FIELD(12, uint32_t, output_counted)                /* spikes to the output layer that have been counted */        \
    FIELD(16, uint32_t *, output_planes)               /* words x planes of the output layer */

/*
 * Bytes of stack, for whoever adds them up: of look_at_list in assembly, and what it pushes within it at the most, to
 * count a batch.
 */
#define THUMB_2_LOOK_STACK 56
#define THUMB_2_MOST_STACK 40
#define THUMB_1_LOOK_STACK 48
#define THUMB_1_MOST_STACK 20

#if defined(__ASSEMBLER__)

#define LAYER_SYMBOL(offset, type, field) .equ layer_##field, offset;
#define RUN_SYMBOL(offset, type, field) .equ run_##field, offset;
LAYER_FIELDS(LAYER_SYMBOL)
RUN_FIELDS(RUN_SYMBOL)

#else

#define INPUT_INLINE ALWAYS_INLINE
#include "bs4nn_encode.h"

/*
 * A hidden layer's state in the workspace; bs4nn_init checks the layout. First the counts, then the ring (for
 * every spike the first word that is due at it), then the records of the words, then, but for the first layer,
 * the spikes that have been sent to it.
 */
#define ARRIVED 0u /* spikes that had arrived when words were looked at last; 0: nothing is set up */
#define SENT 1u    /* spikes that have been sent to it */
#define DUE 2u     /* the spike at which a word has to be looked at */
#define TOP 3u     /* planes that the counters need by now; the highest is the sign */

#define SEEN 0xFFFF0000u /* the upper half of a record's NEXT */

/* One inference. */
typedef struct {
    RUN_FIELDS(FIELD_MEMBER)

    const bs4nn_network_t *network;
    const bs4nn_layer_t *output;
    const uint16_t *rows;       /* of the output layer, so many ... */
    uint32_t halfwords;         /* ... half-words each */
    uint32_t *workspace;
    const bs4nn_trace_t *trace; /* NULL: stop with the first output spike */
    uint32_t *output_alive;     /* words; then, in as many, the odd distances (see bs4nn_layer_t) */
    input_t input;
    uint32_t fresh;             /* pixels that fire at this step */
    uint32_t output_due;        /* spike at which an output neuron could reach its threshold */
    bs4nn_result_t result;
    uint8_t decided;            /* an output neuron has fired, and ... */
    uint8_t finished;           /* ... that is all that is asked for */
    uint8_t read_out;           /* the readout step has passed */
} BS4NN_ALIGNED run_t;

/* What is the same for all words of a hidden layer: always, at a step, and for the word that is looked at. */
typedef struct {
    LAYER_FIELDS(FIELD_MEMBER)

    const bs4nn_layer_t *packed;
    uint32_t *counts;
    uint32_t top;      /* planes in use */
    uint32_t odd;      /* 1 if thresholds differ */
    uint32_t unusual;  /* not 0 if thresholds differ or counters may have gone past 7 */
    uint32_t threshold;
    uint32_t index;    /* among the layers */
    uint32_t limit;    /* the planes in use hold the counters up to so many spikes */
    uint32_t firing_time;
} BS4NN_ALIGNED layer_t;

static inline uint32_t *counts_of(const run_t *run, uint32_t l)
{
    return run->workspace + run->network->layers[l].state;
}

/* The spikes that have been sent to hidden layer l, which is not the first. */
static inline half_t *sent_spikes(const run_t *run, uint32_t l)
{
    const bs4nn_layer_t *packed = &run->network->layers[l];
    return (half_t *)(counts_of(run, l) + COUNTS + RING_WORDS + (uint32_t)packed->words * (RECORD + packed->planes));
}

static inline uint32_t *record_of(const layer_t *layer, uint32_t w)
{
    return (uint32_t *)(void *)((uint8_t *)layer->records + w * layer->record_bytes);
}

/* Rows of the batch that have yet to be counted. */
static inline uint32_t waiting(const run_t *run)
{
    return (uint32_t)(run->slot - run->output_batch);
}

/* Spikes that have arrived at the output layer. */
static inline uint32_t output_arrived(const run_t *run)
{
    return run->output_counted + waiting(run);
}

/* What the parts call of each other: bs4nn_sort.c, or bs4nn_sort_*.S, ... */

/* Sort the pixels that are not black, the brightest first, and fill `places` (see begin_input). Returns how many. */
C_NAME uint32_t bs4nn_sort_pixels(half_t *places, half_t *spikes, const uint8_t *pixels, uint32_t inputs);

/* ... bs4nn_dense.c, ... */
C_NAME COLD void bs4nn_reset_layer(const run_t *run, uint32_t l);
C_NAME COLD void bs4nn_enter_layer(layer_t *layer, run_t *run, uint32_t l);
C_NAME COLD void bs4nn_look_at_words(layer_t *layer, uint32_t fresh);

/* ... bs4nn_look.c, or bs4nn_look_*.S, ... */
C_NAME void bs4nn_look_at_list(layer_t *layer, uint32_t w);
C_NAME uint32_t bs4nn_fire_word(layer_t *layer, uint32_t *record, uint32_t w);

/* ... bs4nn_decide.c, ... */
C_NAME COLD void bs4nn_reset_output(run_t *run);
C_NAME COLD void bs4nn_arrive(run_t *run, uint32_t i);
C_NAME uint32_t *bs4nn_count_full_batch(run_t *run);
C_NAME COLD uint32_t bs4nn_lanes_at_least(const uint32_t *planes, uint32_t count, uint32_t level);
C_NAME COLD void bs4nn_look_at_output(run_t *run, uint32_t firing_time);
C_NAME COLD void bs4nn_read_out(run_t *run);

/* ... and bs4nn_run.c. */
C_NAME COLD uint32_t bs4nn_spikes_so_far(const run_t *run);

#if BS4NN_ASSEMBLY
#define CHECK_LAYER(offset, type, field) FIELD_CHECK(layer_t, field, offset)
#define CHECK_RUN(offset, type, field) FIELD_CHECK(run_t, field, offset)
LAYER_FIELDS(CHECK_LAYER)
RUN_FIELDS(CHECK_RUN)
#endif

#endif /* __ASSEMBLER__ */

#endif /* BS4NN_STATE_H */
