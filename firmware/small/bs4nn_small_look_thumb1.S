/*
 * bs4nn_small_look_thumb1.S - look_at_list() of bs4nn_small.c in assembly, for Thumb-1 (M0, M0+, M23):
 *
 *     int32_t bs4nn_small_look_at_list(const layer_t *layer, uint32_t word);
 */
#include "bs4nn_layout.h"

#if BS4NN_ASSEMBLY && __ARM_ARCH_ISA_THUMB == 1

#include "bs4nn_adders.h"
#include "bs4nn_small_state.h"

    together layer_spikes, layer_arrived, layer_ring, layer_records, layer_record_bytes, layer_columns
    together layer_columns, layer_column_bytes

/* Add the rows of four spikes to planes 0 and 1; `first` becomes the carry. */
    first .req r3; first_differ .req r4; second .req r5; low_plane .req r5
.macro four
    add_rows 0, first, first_differ
    add_rows 4, first_differ, second
    adds spike, spike, #8
    eors first_differ, first
    mov low_plane, plane1
    add_pair low_plane, first, first_differ
    mov plane1, low_plane
.endm

/* Of the lanes keep those that have a bit of `set`, a plane, if there are any; each lacks so much less then. */
    lanes .req r4; set .req r5; gap .req r6
.macro highest worth
    ands set, lanes
    beq 1f
    movs lanes, set
    subs gap, gap, #\worth
1:
.endm

    function bs4nn_small_look_at_list
    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    push {r0-r2, r4-r7}                     /* stack: layer, word, and one more */
    layer .req r7
    movs layer, r0

/* Let the word catch up with the spikes that it has missed: from `spike` on to `end`. */
    word .req r1; spikes .req r2; arrived .req r3; unused .req r4; records .req r5; record_bytes .req r6
    columns .req r4; column_bytes .req r7; low_record .req r5; record .req r12; end .req r10
.Lword:
    str word, [sp, #4]
    movs r0, layer
    ldm r0!, {spikes, arrived, unused, records, record_bytes}
    ldm r0!, {columns, column_bytes}
    muls record_bytes, word, record_bytes
    adds low_record, records, record_bytes
    mov record, low_record
    muls word, column_bytes, word
    adds column, word, columns
    lsls arrived, arrived, #1
    adds arrived, arrived, spikes
    mov end, arrived
    ldrh spike, [low_record, #RECORD_NEXT + 2]  /* how many it has seen */
    lsls spike, spike, #1
    adds spike, spike, spikes
    ldr plane0, [low_record, #RECORD_PLANES + 4]
    mov plane1, plane0
    ldr plane0, [low_record, #RECORD_PLANES + 8]
    mov plane2, plane0
    ldr plane0, [low_record, #RECORD_PLANES]

    carry .req r6; left .req r7; high_plane .req r5
.Lfours:
    movs carry, #0
    mov left, end
    subs left, left, spike
    cmp left, #8
    blo .Lrest
    four
    movs carry, first
    cmp left, #16
    blo .Lone_four
    four
    eors first, carry                       /* carry, first: a pair for plane 2 */
    mov high_plane, plane2
    add_pair high_plane, carry, first
    mov plane2, high_plane
    bl .Lup
    b .Lfours
.Lone_four:
    mov high_plane, plane2
    add_bit high_plane, carry, first
    mov plane2, high_plane
    movs carry, first

/* The last spikes, up to three. carry: into plane 3. */
    one .req r3; differ .req r4
.Lrest:
    mov left, end
    subs left, left, spike
    beq .Lcounted
    row one, 0
    adds spike, spike, #2
    cmp left, #4
    blo 1f
    row differ, 0
    adds spike, spike, #2
    eors differ, one
    add_pair plane0, one, differ
    b 2f
1:  add_bit plane0, one, differ
    movs one, differ
2:  mov low_plane, plane1
    add_bit low_plane, one, differ
    mov plane1, low_plane
    mov high_plane, plane2
    add_bit high_plane, differ, one
    mov plane2, high_plane
    orrs carry, one
    b .Lrest

/* Carry into plane 3 and up. */
    upper .req r3; plane .req r5
.Lup:
    mov upper, record
    adds upper, upper, #TO_PLANE_3
1:  ldr plane, [upper]
    eors plane, carry
    stm upper!, {plane}
    bics carry, plane
    bne 1b
    bx lr

.Lcounted:
    bl .Lup
    mov upper, record
    adds upper, upper, #RECORD_PLANES
    mov r4, plane1
    mov r5, plane2
    stm upper!, {plane0, r4, r5}
    ldr layer, [sp]                         /* from now on */

/* Find the lanes that lack least, and how much: gap. `upper` is where plane 3 is. */
    extra .req r5
.Lhighest:
    mov r4, record
    ldr lanes, [r4, #RECORD_ALIVE]
    ldr gap, [layer, #layer_goal]
    ldr extra, [layer, #layer_extra_planes]
    cmp extra, #0
    bne .Lmore
.Lsix:
    ldr set, [upper, #8]
    highest 64
    ldr set, [upper, #4]
    highest 32
    ldr set, [upper]
    highest 16
    mov set, plane2
    highest 8
    mov set, plane1
    highest 4
    movs set, plane0
    highest 2
    odd .req r5
    ldr odd, [layer, #layer_odd]
    cmp odd, #0
    bne .Lodd
.Lgap:
    cmp gap, #0
    ble .Lfire

/* gap: spikes until the word is due. If all lanes meet a -1 before, it is two more. */
    until .req r5; spikes_end .req r3; signs .req r3
    lsls until, gap, #1
    adds until, until, spike
    ldr spikes_end, [layer, #layer_spikes_end]
    cmp until, spikes_end
    bls 1f
    movs until, spikes_end
1:  cmp spike, until
    bhs .Lput
    row signs, 0
    adds spike, spike, #2
    ands lanes, signs
    bne 1b
    adds gap, gap, #2

/* Put the word down. */
    now .req r5; ring .req r3; this_word .req r0; due .req r4; link .req r2; at_record .req r3
.Lput:
    ldr now, [layer, #layer_arrived]
    ldr ring, [layer, #layer_ring]
    ldr this_word, [sp, #4]
    adds due, gap, now
    lsls due, due, #27                      /* modulo RING, in half-words */
    lsrs due, due, #26
    ldrh link, [ring, due]
    strh this_word, [ring, due]
    lsls now, now, #16
    orrs link, now
    mov at_record, record
    ldrh word, [at_record, #RECORD_NEXT]
    str link, [at_record, #RECORD_NEXT]
.Lnext:
    lsls r4, word, #16                      /* N: no word */
    bmi 1f
    b .Lword
1:  movs r0, gap
    add sp, sp, #12
    pop {r4-r7}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    pop {r4-r7, pc}

    worth .req r0; bytes .req r5
.Lmore:                                     /* planes beyond the sixth */
    str spike, [sp, #8]
    movs worth, #64
    lsls worth, extra
    lsls bytes, extra, #2
    adds upper, upper, bytes
    adds upper, upper, #12
1:  subs upper, upper, #4
    ldr set, [upper]
    ands set, lanes
    beq 2f
    movs lanes, set
    subs gap, gap, worth
2:  lsrs worth, worth, #1
    cmp worth, #64
    bne 1b
    subs upper, upper, #12
    ldr spike, [sp, #8]
    b .Lsix

    odd_at .req r3; odd_bytes .req r7
.Lodd:
    ldr odd_at, [sp, #4]
    ldr odd_bytes, [layer, #layer_odd_bytes]
    muls odd_at, odd_bytes, odd_at
    ldr odd, [odd, odd_at]
    ldr layer, [sp]
    highest 1
    b .Lgap

/* The lanes fire. */
    alive .req r5; kept_column .req r10; kept_plane0 .req r11; firing_word .req r1; output_rows .req r5
    run .req r6; sent .req r1; debruijn .req r7; index .req r7; bit .req r0; output_row .req r0; planes .req r3
.Lfire:
    str spike, [sp, #8]
    mov at_record, record
    ldr alive, [at_record, #RECORD_ALIVE]
    bics alive, lanes
    str alive, [at_record, #RECORD_ALIVE]
    mov kept_column, column
    mov kept_plane0, plane0
    ldr firing_word, [sp, #4]
    ldr output_rows, [layer, #layer_rows]
    cmp output_rows, #0
    beq .Lfire_in_c
    lsls firing_word, firing_word, #6
    adds output_rows, output_rows, firing_word
    ldr run, [layer, #layer_run]
    ldr sent, [run, #run_counts]
1:  adds sent, sent, #1
    ldr debruijn, =DE_BRUIJN
    rsbs bit, lanes, #0                     /* the lowest bit, alone, and its place */
    ands bit, lanes
    bics lanes, bit
    muls bit, debruijn, bit
    lsrs bit, bit, #27
    ldr index, =bs4nn_index_of_bit
    ldrb bit, [index, bit]
    lsls bit, bit, #1
    ldrh output_row, [output_rows, bit]
    ldr planes, [run, #run_planes]
2:  ldr plane0, [planes]                    /* a row of 0 is counted, too */
    eors plane0, output_row
    stm planes!, {plane0}
    bics output_row, plane0
    bne 2b
    cmp lanes, #0
    bne 1b
    str sent, [run, #run_counts]
.Lfired:
    ldr layer, [sp]
    ldr spike, [sp, #8]
    mov column, kept_column
    mov plane0, kept_plane0
    mov upper, record
    ldr lanes, [upper, #RECORD_ALIVE]
    adds upper, upper, #TO_PLANE_3
    movs gap, lanes
    beq 1f
    b .Lhighest
1:  mov at_record, record                   /* nobody left: never put down again */
    ldrh word, [at_record, #RECORD_NEXT]
    b .Lnext

.Lfire_in_c:
    movs r0, layer
    movs r2, lanes
    mov r4, record
    bl bs4nn_small_fire
    mov record, r4
    b .Lfired

    .balign 4
    .ltorg

    end_function bs4nn_small_look_at_list

#endif
