/*
 * bs4nn_small_cortex_m.h - where bs4nn_small_cortex_m.S finds what: read by the assembly, and held against the
 * structures of bs4nn_small.c field by field, so that a field that moves does not compile.
 */
#ifndef BS4NN_SMALL_CORTEX_M_H
#define BS4NN_SMALL_CORTEX_M_H

/* Bytes from the start of layer_t; the first seven are loaded together, and some others in pairs. */
#define AT_SPIKES 0
#define AT_N 4
#define AT_RING 8
#define AT_RECORDS 12
#define AT_STRIDE 16
#define AT_COLUMNS 20
#define AT_HEIGHT 24
#define AT_GOAL 28
#define AT_MORE 32
#define AT_ODD 36
#define AT_END 40
#define AT_ROWS 44
#define AT_RUN 48
#define AT_ODD_STRIDE 52

/* Bytes from the start of run_t. */
#define RUN_PLANES 0
#define RUN_SENT 4

/* Bytes from the start of a word's record. */
#define RECORD_ALIVE 0
#define RECORD_NEXT 4
#define RECORD_PLANES 8

/* RING of bs4nn_layout.h, as the assembler takes it. */
#define RING_SPIKES 32

/* Bytes of stack, for whoever adds them up: of the function, and what it pushes within it at the most. */
#define THUMB_2_LOOK_STACK 56
#define THUMB_2_MOST_STACK 4
#define THUMB_1_LOOK_STACK 48
#define THUMB_1_MOST_STACK 0

#endif /* BS4NN_SMALL_CORTEX_M_H */
