/*
 * bs4nn_cortex_m.h - where bs4nn_cortex_m.S finds what: read by the assembly, and held against the structures of
 * bs4nn.c field by field, so that a field that moves does not compile.
 */
#ifndef BS4NN_CORTEX_M_H
#define BS4NN_CORTEX_M_H

/* Bytes from the start of layer_t; the first nine are loaded together. */
#define AT_SPIKES 0
#define AT_N 4
#define AT_RING 8
#define AT_EIGHTHS 12
#define AT_SHIFT 16
#define AT_RECORDS 20
#define AT_STRIDE 24
#define AT_COLUMNS 28
#define AT_HEIGHT 32
#define AT_LEVEL 36
#define AT_PAST 40
#define AT_SOONER 44
#define AT_END 48
#define AT_MORE 52
#define AT_POSITIVE 56
#define AT_NEAREST 60
#define AT_DIRECT 64
#define AT_ROWS 68
#define AT_RUN 72

/* Bytes from the start of run_t. */
#define RUN_BATCH 0
#define RUN_SLOT 4
#define RUN_COUNTED 8
#define RUN_PLANES 12
#define RUN_ON_THEIR_WAY 16

/* Bytes from the start of a word's record. */
#define RECORD_ALIVE 0
#define RECORD_NEXT 4
#define RECORD_PLANES 8

/* Numbers of bs4nn_layout.h, as the assembler takes them. */
#define RING_SPIKES 32 /* RING */
#define BATCH_BYTES 32

/* Bytes of stack, for whoever adds them up: of the function, and what it pushes within it at the most. */
#define THUMB_2_LOOK_STACK 56
#define THUMB_2_MOST_STACK 40
#define THUMB_1_LOOK_STACK 48
#define THUMB_1_MOST_STACK 20

#endif /* BS4NN_CORTEX_M_H */
