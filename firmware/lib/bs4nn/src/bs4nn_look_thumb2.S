/*
 * bs4nn_look_thumb2.S - bs4nn_look.c in assembly, for Thumb-2 (M3, M4, M7, M33):
 *
 *     void bs4nn_look_at_list(layer_t *layer, uint32_t word);
 */
#include "bs4nn_layout.h"

#if BS4NN_ASSEMBLY && __ARM_ARCH_ISA_THUMB == 2

#include "bs4nn_adders.h"
#include "bs4nn_state.h"

    together layer_spikes, layer_arrived, layer_ring, layer_eighths, layer_shift, layer_records, layer_record_bytes
    together layer_record_bytes, layer_columns, layer_column_bytes
    together layer_level, layer_overflow
    together layer_margin, layer_spikes_end
    together layer_rows, layer_run
    together run_output_batch, run_slot
    together run_output_counted, run_output_planes

    upper .req r1
    function bs4nn_look_at_list
    layer .req r5
    push {r0-r12, lr}                       /* stack: layer, word, and two more */
    mov layer, spike

/*
 * Let the word catch up with the spikes that it has missed: `left` of them. `upper` is where plane 3 is; so many eights
 * as `drop` come off the counters.
 */
    word .req r1; unused .req r5; spikes .req r3; left .req r4; eighths .req r6; shift .req r7; records .req r8
    record_bytes .req r9; columns .req r10; column_bytes .req r11
.Lword:
    str word, [sp, #4]
    ldm layer, {spikes, left, unused, eighths, shift, records, record_bytes, columns, column_bytes}
    mla column, word, column_bytes, columns
    mla upper, word, record_bytes, records
    seen .req r8; drop .req r10
    ldm upper!, {unused, seen, plane0, plane1, plane2}
    lsr seen, seen, #16
    add spike, spikes, seen, lsl #1
    sub left, left, seen
    add shift, shift, seen
    sub drop, eighths, shift, lsr #4
    subs left, left, #8
    blo .Lrest

    first .req lr; first_differ .req r5; pair .req r6; pair_differ .req r7; second .req r8
    second_differ .req r3
.Leight:
    rows first, first_differ
    rows pair, pair_differ
    add_pairs plane0, first, first_differ, pair, pair_differ
    rows second, second_differ
    rows pair, pair_differ
    add_pairs plane0, second, second_differ, pair, pair_differ
    add_pairs plane1, first_differ, first, second_differ, second
    add_pair plane2, first, first_differ
    eights .req lr; top3 .req r3; top4 .req r5; top5 .req r6; top6 .req r7
    subs left, left, #8
    blo .Lrest_of_more
    ldm upper, {top3, top4, top5, top6}             /* carry into plane 3 and up */
    eor top3, top3, eights
    bic eights, eights, top3
    eor top4, top4, eights
    bic eights, eights, top4
    eor top5, top5, eights
    bic eights, eights, top5
    eor top6, top6, eights
    bics eights, eights, top6
    stm upper, {top3, top4, top5, top6}
    beq .Leight
    extra .req r5; above .req r6; extra_plane .req r3
    ldr extra, [sp]
    ldr extra, [extra, #layer_extra_planes]
    mov above, upper
6:  cmp extra, #0
    beq .Leight
    ldr extra_plane, [above, #16]
    eor extra_plane, extra_plane, eights
    bics eights, eights, extra_plane
    str extra_plane, [above, #16]
    add above, above, #4
    sub extra, extra, #1
    bne 6b
    b .Leight

.Lrest:
    mov eights, #0
.Lrest_of_more:                             /* eights: carry into plane 3, from eight spikes */
    adds left, left, #8
    tbb [pc, left]
.Ltable:
    .byte (.Lnone - .Ltable) / 2, (.Lone - .Ltable) / 2, (.Ltwo - .Ltable) / 2, (.Lthree - .Ltable) / 2
    .byte (.Lfour - .Ltable) / 2, (.Lfour - .Ltable) / 2, (.Lfour - .Ltable) / 2, (.Lfour - .Ltable) / 2
    one .req r3; differ .req r5; other .req r6; other_differ .req r7; carry .req r8
.Lnone:
    mov carry, #0
    b .Lcounted
.Lone:
    row one
    add_bit plane0, one, differ
    add_bit plane1, differ, one
    add_bit plane2, one, carry
    b .Lcounted
.Ltwo:
    rows one, differ
    add_pair plane0, one, differ
    add_bit plane1, one, differ
    add_bit plane2, differ, carry
    b .Lcounted
.Lthree:
    rows one, differ
    row other
    add_pair plane0, one, differ
    add_bit plane0, other, differ
    eor differ, differ, one
    add_pair plane1, one, differ
    add_bit plane2, one, carry
    b .Lcounted
.Lfour:
    rows one, carry
    rows other, other_differ
    add_pairs plane0, one, carry, other, other_differ
    add_pair plane1, carry, one             /* carry: into plane 2 */
    subs left, left, #4
    tbb [pc, left]
.Lmore:
    .byte (.Lfour_and_none - .Lmore) / 2, (.Lfour_and_one - .Lmore) / 2
    .byte (.Lfour_and_two - .Lmore) / 2, (.Lfour_and_three - .Lmore) / 2
.Lfour_and_none:
    add_bit plane2, carry, one
    mov carry, one
    b .Lcounted
    second_carry .req r7
.Lfour_and_one:
    row one
    add_bit plane0, one, differ
    add_bit plane1, differ, second_carry
    b .Lfour_and
.Lfour_and_two:
    rows one, differ
    add_pair plane0, one, differ
    add_bit plane1, one, second_carry
    b .Lfour_and
.Lfour_and_three:
    rows one, differ
    row other
    add_pair plane0, one, differ
    add_bit plane0, other, second_carry
    eor differ, second_carry, one
    add_pair plane1, one, differ
    mov second_carry, one
.Lfour_and:                                 /* carry and second_carry: into plane 2 */
    eor second_carry, second_carry, carry
    add_pair plane2, carry, second_carry

.Lcounted:                                  /* eights and carry: into plane 3 */
    ldr layer, [sp]                         /* from now on */
    stmdb upper, {plane0, plane1, plane2}
    cmp drop, #0
    bne .Ldown
    plane3 .req r3; plane4 .req r6; plane5 .req r7; sign .req r10
    ldm upper, {plane3, plane4, plane5, sign}
    eor carry, carry, eights
    add_pair plane3, eights, carry
    eor plane4, plane4, eights
    bic eights, eights, plane4
    eor plane5, plane5, eights
    bic eights, eights, plane5
    eor sign, sign, eights
    stm upper, {plane3, plane4, plane5, sign}
    planes_left .req r6; next_plane .req r3
    ldr planes_left, [layer, #layer_extra_planes]
    cbz planes_left, .Lsigned
    bic eights, eights, sign
    add next_plane, upper, #16
4:  ldr sign, [next_plane]
    eor sign, sign, eights
    bic eights, eights, sign
    str sign, [next_plane], #4
    subs planes_left, planes_left, #1
    bne 4b

/* lanes: the alive ones whose counters are from 0 on. */
    alive .req r4; level .req r6; overflow .req r7; lanes .req r3
.Lsigned:
    ldr alive, [upper, #RECORD_ALIVE - TO_PLANE_3]
    ldrd level, overflow, [layer, #layer_level]
    bics lanes, alive, sign
    beq .Lminus
    cmp overflow, #0
    bne .Lfire_past

/* Of the lanes find those that lack least to the level, and how much. */
    lack .req r6; nearer .req r7
.Lnear:
    ands nearer, lanes, plane2
    beq 5f
    mov lanes, nearer
    sub lack, lack, #4
5:  ands nearer, lanes, plane1
    beq 6f
    mov lanes, nearer
    sub lack, lack, #2
6:  ands nearer, lanes, plane0
    beq .Lgap
    mov lanes, nearer
    sub lack, lack, #1
    margin .req r8; spikes_end .req r7; gap .req r6
.Lgap:
    ldrd margin, spikes_end, [layer, #layer_margin]
    rsbs gap, margin, lack, lsl #1
    ble .Lfire

/* gap: spikes until the word is due. If all lanes meet a -1 before, it is two more. */
    until .req r8
.Lpeek:
    add until, spike, gap, lsl #1
    cmp until, spikes_end
    it lo
    movlo spikes_end, until
7:  cmp spike, spikes_end
    beq .Lput
    signs .req r8
    ldrh signs, [spike], #2
    ldr signs, [column, signs, lsl #2]
    ands lanes, lanes, signs
    bne 7b
    adds gap, gap, #2

/* Put the word down. */
    arrived .req r7; ring .req r8; this_word .req r4; due .req r0
.Lput:
    ldrd arrived, ring, [layer, #layer_arrived]
    ldr this_word, [sp, #4]
    add due, gap, arrived
    and due, due, #RING - 1
    link .req r6; next .req r3
    ldrh link, [ring, due, lsl #1]
    strh this_word, [ring, due, lsl #1]
    orr link, link, arrived, lsl #16
    ldrsh next, [upper, #RECORD_NEXT - TO_PLANE_3]
    str link, [upper, #RECORD_NEXT - TO_PLANE_3]
.Lnext:
    movs word, next                         /* N: no word */
    bpl .Lword
    add sp, sp, #16
    pop {r4-r12, pc}

    high4 .req r7; high5 .req r8; high6 .req lr
.Lminus:                                    /* nobody from 0 on: those from -8 to -1 have all planes set */
    ldm upper, {lanes, high4, high5, high6}
    and lanes, lanes, alive
    and lanes, lanes, high4
    and lanes, lanes, high5
    and lanes, lanes, high6
    extra_left .req r7; high_at .req r8; high_plane .req lr
    ldr extra_left, [layer, #layer_extra_planes]
    cbz extra_left, 8f
    add high_at, upper, #16
9:  ldr high_plane, [high_at], #4
    and lanes, lanes, high_plane
    subs extra_left, extra_left, #1
    bne 9b
8:  adds lack, lack, #8
    cmp lanes, #0
    bne .Lnear
    mov lanes, alive                        /* all are far off */
    b .Lgap

    borrow .req r4; plane .req r7
.Ldown:                                     /* the level went up by `drop` eights: eights + carry - 1, after the others */
    subs drop, drop, #1
    beq .Ldown_one
    subs drop, drop, #1
    beq .Ldown_two
7:  mov next_plane, upper                   /* `drop` eights off in all lanes */
    mov borrow, #-1
    ldr planes_left, [layer, #layer_extra_planes]
    add planes_left, planes_left, #4
8:  ldr plane, [next_plane]
    eor plane, plane, borrow
    str plane, [next_plane], #4
    and borrow, borrow, plane
    subs planes_left, planes_left, #1
    bne 8b
    subs drop, drop, #1
    bne 7b
    borrows .req lr; others .req r8; either .req r4
.Ldown_two:                                 /* eights and carry less two: turned round they are two borrows, then one */
    ldm upper, {plane3, plane4, plane5, sign}
    mvn borrows, eights
    mvn others, carry
    eor either, borrows, others
    and borrows, borrows, others
    bic others, either, plane3
    orr borrows, borrows, others
    eor plane3, plane3, either
    eor plane4, plane4, borrows
    and borrows, borrows, plane4
    eor plane5, plane5, borrows
    and borrows, borrows, plane5
    eor sign, sign, borrows
    stm upper, {plane3, plane4, plane5, sign}
    ldr planes_left, [layer, #layer_extra_planes]
    cmp planes_left, #0
    beq .Lsigned
    add next_plane, upper, #16
9:  and borrows, borrows, sign
    ldr sign, [next_plane]
    eor sign, sign, borrows
    str sign, [next_plane], #4
    subs planes_left, planes_left, #1
    bne 9b
    b .Lsigned

    change .req r8; passes .req r4
.Ldown_one:
    ldm upper, {plane3, plane4, plane5, sign}
    eor change, change, eights
    mvn change, change                      /* what changes: up where eights is set, down elsewhere */
    eor plane3, plane3, change
    eor passes, plane3, eights
    and change, change, passes
    eor plane4, plane4, change
    eor passes, plane4, eights
    and change, change, passes
    eor plane5, plane5, change
    eor passes, plane5, eights
    and change, change, passes
    eor sign, sign, change
    stm upper, {plane3, plane4, plane5, sign}
    ldr planes_left, [layer, #layer_extra_planes]
    cmp planes_left, #0
    beq .Lsigned
    add next_plane, upper, #16
9:  eor passes, sign, eights
    and change, change, passes
    ldr sign, [next_plane]
    eor sign, sign, change
    str sign, [next_plane], #4
    subs planes_left, planes_left, #1
    bne 9b
    b .Lsigned

/* Some lanes may have reached the level. `lanes` are those with the largest counter, which lack (gap + margin) / 2. */
    direct .req r7; high_lanes .req lr; twice_lack .req r7
.Lfire:
    ldr direct, [layer, #layer_direct]
    cmp direct, #0
    beq .Lfire_in_c
    adds twice_lack, gap, margin
    beq .Lfired
    mov high_lanes, #0
    b .Lcompare

/* Some lanes from 0 on may have gone past 7: high_lanes. */
.Lfire_past:
    ldr direct, [layer, #layer_direct]
    cmp direct, #0
    beq .Lfire_in_c
    ldm upper, {plane3, high4, high_lanes}
    orr high_lanes, high_lanes, plane3
    orr high_lanes, high_lanes, high4
    ldr extra_left, [layer, #layer_extra_planes]
    cbz extra_left, .Lcompare
    add high_at, upper, #12
1:  ldr extra_plane, [high_at], #4
    orr high_lanes, high_lanes, extra_plane
    subs extra_left, extra_left, #1
    bne 1b

/* Find the lanes whose counters are at least the level: plane by plane, from the lowest. */
    reached .req r7
.Lcompare:
    ldr level, [layer, #layer_level]
    bic lanes, alive, sign
    tst level, #1
    ite ne
    movne reached, plane0
    moveq reached, #-1
    lsls level, level, #30
    ite mi
    andmi reached, reached, plane1
    orrpl reached, reached, plane1
    ite cs
    andcs reached, reached, plane2
    orrcc reached, reached, plane2
    orr reached, reached, high_lanes
    ands lanes, lanes, reached
    beq .Lleft

/* The lanes fire: their rows go into the batch of the output layer. */
    output_rows .req r6; run .req r7; firing_word .req r8; batch_end .req r2; slot .req lr
.Lfired:
    strd spike, column, [sp, #8]
    ldrd output_rows, run, [layer, #layer_rows]
    ldr firing_word, [sp, #4]
    ldrd batch_end, slot, [run]
    str slot, [run, #run_in_flight]      /* any number but 0 */
    bic alive, alive, lanes
    str alive, [upper, #RECORD_ALIVE - TO_PLANE_3]
    add output_rows, output_rows, firing_word, lsl #6
    add batch_end, batch_end, #4 * BATCH
    top_bit .req r8
    mov top_bit, #0x80000000
    rbit lanes, lanes
    lane .req r7; bit .req r0; output_row .req r7
2:  clz lane, lanes
    lsr bit, top_bit, lane
    ldrh output_row, [output_rows, lane, lsl #1]
    str output_row, [slot], #4
    cmp slot, batch_end
    beq .Lbatch
3:  bics lanes, lanes, bit
    bne 2b
    ldr run, [layer, #layer_run]
    ldrd spike, column, [sp, #8]
    str slot, [run, #run_slot]
    cmp alive, #0
    beq .Lnobody

/* Go on with the lanes that are left. */
.Lleft:
    ldr level, [layer, #layer_level]
    bics lanes, alive, sign
    bne .Lnear
    b .Lminus

.Lnobody:                                   /* never put down again */
    ldrsh next, [upper, #RECORD_NEXT - TO_PLANE_3]
    b .Lnext

/* The batch is full, up to slot: its eight rows are counted, and it starts anew. */
    counted .req r1; output_plane .req r3; sum0 .req r4; sum1 .req r5; sum2 .req r6; batch_run .req r0
    pair0 .req r0; pair0_differ .req r1; pair1 .req r7; pair1_differ .req r8; pair2 .req r9; pair2_differ .req r10
    high_sum .req r1
.Lbatch:
    push {r0, r1, r3-r10}
    ldr batch_run, [layer, #layer_run]
    ldrd counted, output_plane, [batch_run, #run_output_counted]
    add counted, counted, #BATCH
    str counted, [batch_run, #run_output_counted]
    ldm output_plane, {sum0, sum1, sum2}
    ldmdb slot!, {pair0, pair0_differ, pair1, pair1_differ}
    eor pair0_differ, pair0_differ, pair0
    eor pair1_differ, pair1_differ, pair1
    add_pairs sum0, pair0, pair0_differ, pair1, pair1_differ
    ldmdb slot!, {pair1, pair1_differ, pair2, pair2_differ}
    eor pair1_differ, pair1_differ, pair1
    eor pair2_differ, pair2_differ, pair2
    add_pairs sum0, pair1, pair1_differ, pair2, pair2_differ
    add_pairs sum1, pair0_differ, pair0, pair1_differ, pair1
    add_pair sum2, pair0, pair0_differ      /* pair0: carry into plane 3 */
    stm output_plane!, {sum0, sum1, sum2}
    cmp pair0, #0
    beq 5f
4:  ldr high_sum, [output_plane]
    eor high_sum, high_sum, pair0
    str high_sum, [output_plane], #4
    bics pair0, pair0, high_sum
    bne 4b
5:  pop {r0, r1, r3-r10}
    b 3b

/* Firing of other kinds is left to C. */
.Lfire_in_c:
    bic lanes, alive, sign
    str lanes, [layer, #layer_positive]
    kept_upper .req r4; kept_column .req r6; kept_spike .req r7
    mov kept_upper, upper
    mov kept_column, column
    mov kept_spike, spike
    mov r0, layer
    subs r1, upper, #TO_PLANE_3
    ldr r2, [sp, #4]
    bl bs4nn_fire_word
    mov upper, kept_upper
    mov column, kept_column
    movs gap, r0
    mov spike, kept_spike
    beq .Lnobody
    ldr spikes_end, [layer, #layer_spikes_end]
    ldr lanes, [layer, #layer_nearest]
    b .Lpeek

    end_function bs4nn_look_at_list

#endif
