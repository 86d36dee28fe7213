/*
 * bs4nn_small_look_thumb2.S - look_at_list() of bs4nn_small.c in assembly, for Thumb-2 (M3, M4, M7, M33):
 *
 *     int32_t bs4nn_small_look_at_list(const layer_t *layer, uint32_t word);
 */
#include "bs4nn_layout.h"

#if BS4NN_ASSEMBLY && __ARM_ARCH_ISA_THUMB == 2

#include "bs4nn_adders.h"
#include "bs4nn_small_state.h"

    together layer_spikes, layer_arrived, layer_ring, layer_records, layer_record_bytes, layer_columns
    together layer_columns, layer_column_bytes
    together layer_goal, layer_extra_planes
    together layer_odd, layer_spikes_end
    together layer_rows, layer_run
    together run_planes, run_counts

    upper .req r1
    eights .req lr
/* Carry eights into a plane. */
.macro carry_into plane
    eor \plane, \plane, eights
    bic eights, eights, \plane
.endm

    gap .req lr; higher .req r8; lanes .req r4
/* Of the lanes keep those that have a bit of the plane set, if there are any; each lacks so much less then. */
.macro highest plane, worth
    ands higher, lanes, \plane
    beq 1f
    mov lanes, higher
    sub gap, gap, #\worth
1:
.endm

    one .req r3; other .req r6; other_differ .req r7
/* Add the rows of four spikes to planes 0 and 1; `carry` becomes the carry. */
.macro four carry
    rows one, \carry
    rows other, other_differ
    add_pairs plane0, one, \carry, other, other_differ
    add_pair plane1, \carry, one
.endm

    function bs4nn_small_look_at_list
    layer .req r5
    push {r0-r12, lr}                       /* stack: layer, word, and two more */
    mov layer, r0

/*
 * Let the word catch up with the spikes that it has missed: `left` of them. `upper` is where plane 3 is.
 */
    word .req r1; spikes .req r3; left .req r4; unused .req r6; records .req r7; record_bytes .req r8
    columns .req r10; column_bytes .req r11
.Lword:
    str word, [sp, #4]
    ldm layer, {spikes, left, unused, records, record_bytes, columns, column_bytes}
    mla column, word, column_bytes, columns
    mla upper, word, record_bytes, records
    unused1 .req r5; seen .req r8
    ldm upper!, {unused1, seen, plane0, plane1, plane2}
    lsr seen, seen, #16
    add spike, spikes, seen, lsl #1
    sub left, left, seen
    mov eights, #0
    cmp left, #4
    blo .Lrest

/* eights: carry into plane 3 of the last eight spikes. */
    fours .req r5
.Lfours:
    four fours
    subs left, left, #8
    blo .Lone_four
    four eights
    eor fours, fours, eights
    add_pair plane2, eights, fours
    cmp left, #8
    blo .Lfew
    plane3 .req r3; top4 .req r5; top5 .req r6
    ldm upper, {plane3, top4, top5}
    carry_into plane3
    carry_into top4
    eor top5, top5, eights
    bics eights, eights, top5
    stm upper, {plane3, top4, top5}
    beq .Lfours
    above .req r6; high .req r3
    add above, upper, #12
1:  ldr high, [above]
    eor high, high, eights
    str high, [above], #4
    bics eights, eights, high
    bne 1b
    b .Lfours
    carry .req r8
.Lone_four:
    add_bit plane2, fours, carry
    b 1f
.Lfew:
    cmp left, #4
    bhs .Lfours

    differ .req r5
/* The last spikes, up to three. eights and carry: into plane 3. */
.Lrest:
    mov carry, #0
1:  lsls one, left, #31
    bcc 2f
    rows one, differ
    add_pair plane0, one, differ
    add_bit plane1, one, differ
    add_bit plane2, differ, one
    orr carry, carry, one
2:  bpl 3f
    row one
    add_bit plane0, one, differ
    add_bit plane1, differ, one
    add_bit plane2, one, differ
    orr carry, carry, differ
    plane4 .req r6; plane5 .req r7
3:  ldr layer, [sp]                         /* from now on */
    stmdb upper, {plane0, plane1, plane2}
    ldm upper, {plane3, plane4, plane5}
    eor carry, carry, eights
    add_pair plane3, eights, carry
    carry_into plane4
    eor plane5, plane5, eights
    bics eights, eights, plane5
    stm upper, {plane3, plane4, plane5}
    beq .Lhighest
    above_at .req r4; higher_plane .req r8
    add above_at, upper, #12
4:  ldr higher_plane, [above_at]
    eor higher_plane, higher_plane, eights
    str higher_plane, [above_at], #4
    bics eights, eights, higher_plane
    bne 4b

/* Find the lanes that lack least, and how much: gap. */
    extra .req r8
.Lhighest:
    ldr lanes, [upper, #RECORD_ALIVE - TO_PLANE_3]
    ldrd gap, extra, [layer, #layer_goal]
    cmp extra, #0
    bne .Lmore
.Lsix:
    highest plane5, 64
    highest plane4, 32
    highest plane3, 16
    highest plane2, 8
    highest plane1, 4
    highest plane0, 2
    odd .req r7; spikes_end .req r8
    ldrd odd, spikes_end, [layer, #layer_odd]
    cbnz odd, .Lodd
.Lgap:
    cmp gap, #0
    ble .Lfire

/* gap: spikes until the word is due. If all lanes meet a -1 before, it is two more. */
    until .req r7
.Lpeek:
    add until, spike, gap, lsl #1
    cmp until, spikes_end
    it hi
    movhi until, spikes_end
1:  cmp spike, until
    bhs .Lput
    signs .req r8
    ldrh signs, [spike], #2
    ldr signs, [column, signs, lsl #2]
    ands lanes, lanes, signs
    bne 1b
    add gap, gap, #2

/* Put the word down. */
    arrived .req r7; ring .req r8; this_word .req r4; due .req r0; link .req r6; next .req r3
.Lput:
    ldrd arrived, ring, [layer, #layer_arrived]
    ldr this_word, [sp, #4]
    add due, gap, arrived
    and due, due, #RING - 1
    ldrh link, [ring, due, lsl #1]
    strh this_word, [ring, due, lsl #1]
    orr link, link, arrived, lsl #16
    ldrsh next, [upper, #RECORD_NEXT - TO_PLANE_3]
    str link, [upper, #RECORD_NEXT - TO_PLANE_3]
.Lnext:
    movs word, next                         /* N: no word */
    bpl .Lword
    mov r0, gap
    add sp, sp, #16
    pop {r4-r12, pc}

    odd_at .req r3; odd_bytes .req r6
.Lodd:
    ldr odd_at, [sp, #4]
    ldr odd_bytes, [layer, #layer_odd_bytes]
    mul odd_at, odd_at, odd_bytes
    ldr odd, [odd, odd_at]
    ands odd, odd, lanes
    beq .Lgap
    mov lanes, odd
    sub gap, gap, #1
    b .Lgap

    worth .req r2; plane_at .req r0; set .req r5
.Lmore:                                     /* planes beyond the sixth */
    strd spike, column, [sp, #8]
    mov worth, #64
    lsl worth, worth, extra
    add plane_at, upper, #8
1:  ldr set, [plane_at, extra, lsl #2]
    ands set, set, lanes
    beq 2f
    mov lanes, set
    sub gap, gap, worth
2:  lsr worth, worth, #1
    subs extra, extra, #1
    bne 1b
    ldr layer, [sp]
    ldrd spike, column, [sp, #8]
    b .Lsix

/* The lanes fire. */
    alive .req r3; output_rows .req r6; run .req r7; firing_word .req r8
.Lfire:
    ldr alive, [upper, #RECORD_ALIVE - TO_PLANE_3]
    ldrd output_rows, run, [layer, #layer_rows]
    bics alive, alive, lanes
    str alive, [upper, #RECORD_ALIVE - TO_PLANE_3]
    strd spike, column, [sp, #8]
    ldr firing_word, [sp, #4]
    cmp output_rows, #0
    beq .Lfire_in_c
    add output_rows, output_rows, firing_word, lsl #6
    planes .req r2; sent .req r8; out0 .req r3; out1 .req r10; out2 .req lr
    ldrd planes, sent, [run]                /* of the output layer */
    ldm planes, {out0, out1, out2}
    output_row .req r7; spare .req r0
1:  rbit output_row, lanes
    clz output_row, output_row
    subs spare, lanes, #1
    ands lanes, lanes, spare
    ldrh output_row, [output_rows, output_row, lsl #1]
    add sent, sent, #1
    add_bit out0, output_row, spare
    add_bit out1, spare, output_row
    add_bit out2, output_row, spare
    cbnz spare, .Lcarry
2:  cmp lanes, #0
    bne 1b
    stm planes, {out0, out1, out2}
    ldr run, [layer, #layer_run]
    str sent, [run, #run_counts]
.Lfired:
    ldrd spike, column, [sp, #8]
    ldr alive, [upper, #RECORD_ALIVE - TO_PLANE_3]
    cbz alive, .Lnobody
    ldm upper, {plane3, plane4, plane5}
    b .Lhighest

.Lnobody:                                   /* never put down again */
    mov gap, alive
    ldrsh next, [upper, #RECORD_NEXT - TO_PLANE_3]
    b .Lnext

.Lcarry:                                    /* spare into plane 3 and up */
    push {r2}
1:  ldr output_row, [planes, #12]
    eor output_row, output_row, spare
    str output_row, [planes, #12]
    adds planes, planes, #4
    bics spare, spare, output_row
    bne 1b
    pop {r2}
    b 2b

    kept_upper .req r6
.Lfire_in_c:
    mov kept_upper, upper
    mov r0, layer
    mov r1, firing_word
    mov r2, lanes
    bl bs4nn_small_fire
    mov upper, kept_upper
    ldmdb upper, {plane0, plane1, plane2}
    b .Lfired

    end_function bs4nn_small_look_at_list

#endif
