/*
 * bs4nn_look_thumb1.S - bs4nn_look.c in assembly, for Thumb-1 (M0, M0+, M23):
 *
 *     void bs4nn_look_at_list(layer_t *layer, uint32_t word);
 */
#include "bs4nn_layout.h"

#if BS4NN_ASSEMBLY && __ARM_ARCH_ISA_THUMB == 1

#include "bs4nn_adders.h"
#include "bs4nn_state.h"

    together layer_spikes, layer_arrived, layer_ring, layer_eighths, layer_shift, layer_records, layer_record_bytes
    together layer_record_bytes, layer_columns, layer_column_bytes

    function bs4nn_look_at_list
    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    push {r0-r2, r4-r7}                     /* stack: layer, word, and one more */
    layer .req r7
    movs layer, r0

/*
 * Let the word catch up with the spikes that it has missed: from `spike` on to `end`. So many eights as `drop` come off
 * the counters.
 */
    word .req r1; spikes .req r2; arrived .req r3; unused .req r4; eighths .req r5; shift .req r6
    records .req r4; record_bytes .req r7; columns .req r0; column_bytes .req r7; seen .req r7
    record .req r12; drop .req lr; end .req r10; last_eight .req r11; low_record .req r4
.Lword:
    str word, [sp, #4]
    movs r0, layer
    ldm r0!, {spikes, arrived, unused, eighths, shift}
    ldm r0!, {records, record_bytes}
    muls record_bytes, word, record_bytes
    adds low_record, records, record_bytes
    mov record, low_record
    ldm r0, {columns, column_bytes}
    muls word, column_bytes, word
    adds column, word, columns
    ldr seen, [low_record, #RECORD_NEXT]
    lsrs seen, seen, #16
    adds shift, shift, seen
    lsrs shift, shift, #4
    subs eighths, eighths, shift
    mov drop, eighths
    lsls seen, seen, #1
    adds spike, spikes, seen
    lsls arrived, arrived, #1
    adds spikes, spikes, arrived
    mov end, spikes
    subs spikes, spikes, #16
    mov last_eight, spikes
    ldr plane0, [low_record, #RECORD_PLANES + 4]
    mov plane1, plane0
    ldr plane0, [low_record, #RECORD_PLANES + 8]
    mov plane2, plane0
    ldr plane0, [low_record, #RECORD_PLANES]
    cmp spike, last_eight
    bhi .Lrest

    first .req r3; first_differ .req r4; second .req r5; second_differ .req r6; plane .req r7; row_differ .req r7
.Leight:
    add_rows 0, first, first_differ
    add_rows 4, first_differ, second
    eors first_differ, first
    add_rows 8, second, second_differ
    add_rows 12, second_differ, row_differ
    eors second_differ, second
    mov plane, plane1
    add_pair plane, first, first_differ
    add_pair plane, second, second_differ
    mov plane1, plane
    mov plane, plane2
    eors second, first
    add_pair plane, first, second
    mov plane2, plane
    adds spike, spike, #16
    cmp spike, last_eight
    bhi .Lrest_of_more
    eights .req r3; upper .req r4; plane3 .req r5; plane4 .req r6; plane5 .req r7; plane6 .req r5
    mov upper, record                       /* carry eights into plane 3 and up */
    adds upper, upper, #TO_PLANE_3
    ldm upper!, {plane3, plane4, plane5}
    eors plane3, eights
    bics eights, plane3
    eors plane4, eights
    bics eights, plane4
    eors plane5, eights
    bics eights, plane5
    subs upper, upper, #12
    stm upper!, {plane3, plane4, plane5}
    ldr plane6, [upper]
    eors plane6, eights
    stm upper!, {plane6}
    bics eights, plane6
    beq .Leight
    extra .req r6; high .req r5
    ldr extra, [sp]
    ldr extra, [extra, #layer_extra_planes]
1:  cmp extra, #0
    beq .Leight
    ldr high, [upper]
    eors high, eights
    stm upper!, {high}
    bics eights, high
    subs extra, extra, #1
    b 1b

    kept_eights .req r11; left .req r7; one .req r3; differ .req r4; other .req r5; low_plane .req r5; carry .req r6
.Lrest:
    movs eights, #0
.Lrest_of_more:                             /* eights: carry into plane 3, from eight spikes */
    mov kept_eights, eights
    mov left, end
    subs left, left, spike
    add pc, left                            /* two bytes a spike and a branch */
    nop
    b .Lnone
    b .Lone
    b .Ltwo
    b .Lthree
    b .Lfour
    b .Lfour
    b .Lfour
.Lfour:
    add_rows 0, one, differ
    add_rows 4, differ, other
    eors differ, one
    mov low_plane, plane1
    add_pair low_plane, one, differ
    mov plane1, low_plane
    movs carry, one                         /* into plane 2 */
    adds spike, spike, #8
    subs left, left, #8
    add pc, left
    nop
    b .Lfour_and_none
    b .Lfour_and_one
    b .Lfour_and_two
    second_carry .req r7
.Lfour_and_three:
    add_rows 0, one, differ
    row other, 4
    adds spike, spike, #6
    add_bit plane0, other, differ
    eors differ, one
    mov low_plane, plane1
    add_pair low_plane, one, differ
    mov plane1, low_plane
    movs second_carry, one
    high_plane .req r4
.Lfour_and:                                 /* carry and second_carry: into plane 2 */
    eors second_carry, carry
    mov high_plane, plane2
    add_pair high_plane, carry, second_carry
    mov plane2, high_plane
    b .Lcounted
.Lfour_and_none:
    mov high_plane, plane2
    add_bit high_plane, carry, one
    mov plane2, high_plane
    movs carry, one
    b .Lcounted
.Lfour_and_one:
    row one, 0
    adds spike, spike, #2
    add_bit plane0, one, differ
    mov low_plane, plane1
    add_bit low_plane, differ, second_carry
    mov plane1, low_plane
    b .Lfour_and
.Lfour_and_two:
    add_rows 0, one, differ
    adds spike, spike, #4
    mov low_plane, plane1
    add_bit low_plane, one, second_carry
    mov plane1, low_plane
    b .Lfour_and
.Lnone:
    movs carry, #0
    b .Lcounted
.Lone:
    row differ, 0
    adds spike, spike, #2
    add_bit plane0, differ, one
    b .Lup
.Ltwo:
    add_rows 0, one, differ
    adds spike, spike, #4
.Lup:                                       /* one: carry into plane 1 */
    mov low_plane, plane1
    add_bit low_plane, one, differ
    mov plane1, low_plane
    movs one, differ
    b .Lup_to_two
.Lthree:
    add_rows 0, one, differ
    row other, 4
    adds spike, spike, #6
    add_bit plane0, other, differ
    eors differ, one
    mov low_plane, plane1
    add_pair low_plane, one, differ
    mov plane1, low_plane
.Lup_to_two:                                /* one: carry into plane 2 */
    mov low_plane, plane2
    add_bit low_plane, one, carry
    mov plane2, low_plane

    planes .req r3; drop_left .req r4; eight .req r4; sign .req r5; planes_left .req r6
.Lcounted:                                  /* kept_eights and carry: into plane 3 */
    mov planes, record
    adds planes, planes, #RECORD_PLANES
    mov r4, plane1
    mov r5, plane2
    stm planes!, {plane0, r4, r5}
    mov drop_left, drop
    cmp drop_left, #0
    bne .Ldown
    mov eight, kept_eights
    eors carry, eight
    ldr plane3, [planes]
    add_pair plane3, eight, carry
    str plane3, [planes]
    ldr sign, [planes, #4]
    eors sign, eight
    str sign, [planes, #4]
    bics eight, sign
    ldr sign, [planes, #8]
    eors sign, eight
    str sign, [planes, #8]
    bics eight, sign
    ldr sign, [planes, #12]
    eors sign, eight
    str sign, [planes, #12]
    ldr layer, [sp]
    ldr planes_left, [layer, #layer_extra_planes]
    cmp planes_left, #0
    beq .Lsigned
    adds planes, planes, #16
4:  bics eight, sign
    ldr sign, [planes]
    eors sign, eight
    stm planes!, {sign}
    subs planes_left, planes_left, #1
    bne 4b

/* lanes: the alive ones whose counters are from 0 on. */
    kept_sign .req r10; alive .req r6; level .req r4; lanes .req r3; overflow .req r5
.Lsigned:
    mov kept_sign, sign
    mov r3, record
    ldr alive, [r3, #RECORD_ALIVE]
    ldr level, [layer, #layer_level]
    movs lanes, alive
    bics lanes, sign
    beq .Lminus
    ldr overflow, [layer, #layer_overflow]
    cmp overflow, #0
    bne .Lto_fire_past

/* Of the lanes find those that lack least to the level, and how much. */
    nearer .req r5; lack .req r4; margin .req r5; gap .req r4
.Lnear:
    mov nearer, plane2
    ands nearer, lanes
    beq 5f
    movs lanes, nearer
    subs lack, lack, #4
5:  mov nearer, plane1
    ands nearer, lanes
    beq 6f
    movs lanes, nearer
    subs lack, lack, #2
6:  movs nearer, plane0
    ands nearer, lanes
    beq .Lgap
    movs lanes, nearer
    subs lack, lack, #1
.Lgap:
    lsls lack, lack, #1
    ldr margin, [layer, #layer_margin]
    subs gap, lack, margin
    ble .Lto_fire

/* gap: spikes until the word is due. If all lanes meet a -1 before, it is two more. */
    until .req r5; spikes_end .req r6; signs .req r6
.Lpeek:
    lsls until, gap, #1
    adds until, until, spike
    ldr spikes_end, [layer, #layer_spikes_end]
    cmp until, spikes_end
    bls 7f
    movs until, spikes_end
7:  cmp spike, until
    beq .Lput
8:  row signs, 0
    adds spike, spike, #2
    ands lanes, signs
    beq .Llater
    cmp spike, until
    bne 8b

/* Put the word down. */
    now .req r5; ring .req r6; this_word .req r0; due .req r4; link .req r2; at_record .req r3
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
1:  pop {r0-r2, r4-r7}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    pop {r4-r7, pc}

.Llater:
    adds gap, gap, #2
    b .Lput

    near .req r6; kept_lack .req r11; some_plane .req r4; planes_to_go .req r5
.Lminus:                                    /* nobody from 0 on: those from -8 to -1 have all planes set */
    mov planes, record
    adds planes, planes, #TO_PLANE_3
    ldm planes!, {plane3}
    ands near, plane3
    ldm planes!, {plane3}
    ands near, plane3
    ldm planes!, {plane3}
    ands near, plane3
    ldm planes!, {plane3}
    ands near, plane3
    ldr planes_to_go, [layer, #layer_extra_planes]
    cmp planes_to_go, #0
    beq 2f
    mov kept_lack, lack
1:  ldm planes!, {some_plane}
    ands near, some_plane
    subs planes_to_go, planes_to_go, #1
    bne 1b
    mov lack, kept_lack
2:  adds lack, lack, #8
    movs lanes, near
    bne .Lnear
    mov r5, record                          /* all are far off */
    ldr lanes, [r5, #RECORD_ALIVE]
    b .Lgap

.Lto_fire:
    b .Lfire
.Lto_fire_past:
    b .Lfire_past

    kept_drop .req lr; count .req r7; borrow .req r4
.Ldown:                                     /* the level went up by so many eights: eight + carry - 1, after the others */
    subs drop_left, drop_left, #1
    beq .Ldown_one
    subs drop_left, drop_left, #1
    beq .Ldown_two
4:  mov kept_drop, drop_left                /* so many eights off in all lanes */
    ldr count, [sp]
    ldr count, [count, #layer_extra_planes]
    adds count, count, #4
    movs borrow, #0
    mvns borrow, borrow
5:  ldr plane3, [planes]
    eors plane3, borrow
    stm planes!, {plane3}
    ands borrow, plane3
    subs count, count, #1
    bne 5b
    mov planes, record
    adds planes, planes, #TO_PLANE_3
    mov drop_left, kept_drop
    subs drop_left, drop_left, #1
    bne 4b
    borrows .req r4; others .req r6; either .req r7
.Ldown_two:                                 /* both carries less two: turned round they are two borrows, then one */
    mov borrows, kept_eights
    mvns borrows, borrows
    mvns others, carry
    movs either, borrows
    eors either, others
    ands borrows, others
    ldr plane3, [planes]
    movs others, either
    bics others, plane3
    orrs borrows, others
    eors plane3, either
    stm planes!, {plane3}
    ldr count, [sp]
    ldr count, [count, #layer_extra_planes]
    adds count, count, #3
6:  ldr sign, [planes]
    eors sign, borrows
    stm planes!, {sign}
    ands borrows, sign
    subs count, count, #1
    bne 6b
    ldr layer, [sp]
    b .Lsigned

    change .req r6; passes .req r5
.Ldown_one:
    mov eight, kept_eights
    eors carry, eight
    mvns change, carry                      /* what changes: up where eight is set, down elsewhere */
    ldr plane3, [planes]
    eors plane3, change
    str plane3, [planes]
    eors passes, eight
    ands change, passes
    ldr plane3, [planes, #4]
    eors plane3, change
    str plane3, [planes, #4]
    eors passes, eight
    ands change, passes
    ldr plane3, [planes, #8]
    eors plane3, change
    str plane3, [planes, #8]
    eors passes, eight
    ands change, passes
    ldr sign, [planes, #12]
    eors sign, change
    str sign, [planes, #12]
    kept_count .req lr; passed .req r7
    ldr layer, [sp]
    ldr count, [layer, #layer_extra_planes]
    cmp count, #0
    beq 3f
    adds planes, planes, #16
    mov kept_count, count
2:  movs passed, sign
    eors passed, eight
    ands change, passed
    ldr sign, [planes]
    eors sign, change
    stm planes!, {sign}
    mov count, kept_count
    subs count, count, #1
    mov kept_count, count
    bne 2b
3:  ldr layer, [sp]
    b .Lsigned

/* Some lanes may have reached the level. `lanes` are those with the largest counter, which lack (gap + margin) / 2. */
    twice_lack .req r4; direct .req r5; high_lanes .req r4
.Lfire:
    adds twice_lack, gap, margin
    ldr direct, [layer, #layer_direct]
    cmp direct, #0
    beq .Lto_c
    cmp twice_lack, #0
    beq .Lfired
    movs high_lanes, #0
    b .Lcompare
.Lto_c:
    b .Lfire_in_c

/* Some lanes from 0 on may have gone past 7: high_lanes. */
.Lfire_past:
    ldr direct, [layer, #layer_direct]
    cmp direct, #0
    beq .Lto_c
    mov planes, record
    adds planes, planes, #TO_PLANE_3
    ldm planes!, {high_lanes}
    ldm planes!, {high}
    orrs high_lanes, high
    ldm planes!, {high}
    orrs high_lanes, high
    ldr planes_to_go, [layer, #layer_extra_planes]
    cmp planes_to_go, #0
    beq .Lcompare
    extra_plane .req r6
1:  ldm planes!, {extra_plane}
    orrs high_lanes, extra_plane
    subs planes_to_go, planes_to_go, #1
    bne 1b
    mov r6, record
    ldr alive, [r6, #RECORD_ALIVE]

/* Find the lanes whose counters are at least the level: plane by plane, from the lowest. */
    level_bits .req r3; reached .req r5; next_plane .req r2
.Lcompare:
    ldr level_bits, [layer, #layer_level]
    movs reached, plane0
    lsrs level_bits, level_bits, #1
    bcs 1f
    movs reached, #0
    mvns reached, reached
1:  mov next_plane, plane1
    lsrs level_bits, level_bits, #1
    bcs 2f
    orrs reached, next_plane
    b 3f
2:  ands reached, next_plane
3:  mov next_plane, plane2
    lsrs level_bits, level_bits, #1
    bcs 4f
    orrs reached, next_plane
    b 5f
4:  ands reached, next_plane
5:  orrs reached, high_lanes
    mov r4, record
    ldr plane0, [r4, #RECORD_PLANES]
    movs lanes, alive
    mov r4, kept_sign
    bics lanes, r4
    ands lanes, reached
    beq .Lleft

/* The lanes fire: their rows go into the batch of the output layer. */
    kept_spike .req r11; kept_column .req lr; output_rows .req r5; run .req r7; slot .req r1; batch_end .req r4
    debruijn .req r2; places .req r6; bit .req r0; place .req r0; output_row .req r0
.Lfired:
    bics alive, lanes
    mov r4, record
    str alive, [r4, #RECORD_ALIVE]
    mov kept_spike, spike
    mov kept_column, column
    ldr output_rows, [layer, #layer_rows]
    ldr this_word, [sp, #4]
    lsls this_word, this_word, #6
    adds output_rows, output_rows, this_word
    ldr run, [layer, #layer_run]
    ldr slot, [run, #run_slot]
    str slot, [run, #run_in_flight]         /* any number but 0 */
    ldr batch_end, [run, #run_output_batch]
    adds batch_end, batch_end, #4 * BATCH
    ldr debruijn, .Ldebruijn
    ldr places, .Lplaces
2:  rsbs bit, lanes, #0                     /* the lowest bit, alone, and its place */
    ands bit, lanes
    bics lanes, bit
    muls bit, debruijn, bit
    lsrs place, bit, #27
    ldrb place, [places, place]
    ldrh output_row, [output_rows, place]
    stm slot!, {output_row}
    cmp slot, batch_end
    beq .Lbatch
3:  cmp lanes, #0
    bne 2b
    ldr layer, [sp]
    ldr r4, [layer, #layer_run]
    str slot, [r4, #run_slot]
    mov spike, kept_spike
    mov column, kept_column
    mov r4, record
    ldr plane0, [r4, #RECORD_PLANES]
    ldr alive, [r4, #RECORD_ALIVE]
    cmp alive, #0
    beq .Lnobody

/* Go on with the lanes that are left. */
.Lleft:
    ldr level, [layer, #layer_level]
    movs lanes, alive
    mov sign, kept_sign
    bics lanes, sign
    beq 1f
    b .Lnear
1:  b .Lminus

.Lnobody:                                   /* never put down again */
    mov at_record, record
    ldrh word, [at_record, #RECORD_NEXT]
    b .Lnext

/* The batch is full, up to batch_end: its eight rows are counted, and it starts anew. */
    next_row .req r7; batch_run .req r0; output_plane .req r0; counted .req r1; sum .req r1
    pair0 .req r2; pair0_differ .req r3; pair1 .req r3; pair1_differ .req r4; pair2 .req r4; pair2_differ .req r5
    pair3 .req r5; pair3_differ .req r6
.Lbatch:
    push {r2-r6}
    movs next_row, batch_end
    subs next_row, next_row, #4 * BATCH
    ldr batch_run, [sp, #20]                /* layer */
    ldr batch_run, [batch_run, #layer_run]
    ldr counted, [batch_run, #run_output_counted]
    adds counted, counted, #BATCH
    str counted, [batch_run, #run_output_counted]
    ldr output_plane, [batch_run, #run_output_planes]
    ldr sum, [output_plane]
    ldm next_row!, {pair0, pair0_differ}
    eors pair0_differ, pair0
    add_pair sum, pair0, pair0_differ
    ldm next_row!, {pair1, pair1_differ}
    eors pair1_differ, pair1
    add_pair sum, pair1, pair1_differ
    eors pair1, pair0                       /* pair0_differ */
    ldm next_row!, {pair2, pair2_differ}
    eors pair2_differ, pair2
    add_pair sum, pair2, pair2_differ
    ldm next_row!, {pair3, pair3_differ}
    eors pair3_differ, pair3
    add_pair sum, pair3, pair3_differ
    eors pair3, pair2                       /* pair2_differ */
    stm output_plane!, {sum}
    ldr sum, [output_plane]
    add_pair sum, pair0, pair0_differ
    add_pair sum, pair2, pair2_differ
    stm output_plane!, {sum}
    ldr sum, [output_plane]
    eors pair2, pair0                       /* pair1_differ: as many fours */
    add_pair sum, pair0, pair2              /* pair0: carry into plane 3 */
    stm output_plane!, {sum}
    cmp pair0, #0
    beq 5f
4:  ldr sum, [output_plane]
    eors sum, pair0
    stm output_plane!, {sum}
    bics pair0, sum
    bne 4b
5:  pop {r2-r6}
    movs slot, batch_end
    subs slot, slot, #4 * BATCH
    b 3b

/* Firing of other kinds is left to C. */
    spike_in_c .req r4; column_in_c .req r5; record_in_c .req r6; left_gap .req r6
.Lfire_in_c:
    mov at_record, record
    ldr lanes, [at_record, #RECORD_ALIVE]
    mov r4, kept_sign
    bics lanes, r4
    str lanes, [layer, #layer_positive]
    movs spike_in_c, spike
    movs column_in_c, column
    mov record_in_c, record
    movs r0, layer
    mov r1, record
    ldr r2, [sp, #4]
    bl bs4nn_fire_word
    mov record, record_in_c
    movs column, column_in_c
    movs left_gap, r0
    movs spike, spike_in_c
    movs gap, left_gap
    beq .Lnobody
    ldr lanes, [layer, #layer_nearest]
    b .Lpeek

    .balign 4
.Ldebruijn:
    .word DE_BRUIJN
.Lplaces:
    .word .Lplace_of_bit

    end_function bs4nn_look_at_list

/* Of a bit, alone, times .Ldebruijn the top five bits tell its number; here, times the bytes of a half-word. */
    .section .rodata.bs4nn_place_of_bit, "a", %progbits
.Lplace_of_bit:
    .byte 0, 2, 56, 4, 58, 28, 48, 6, 60, 44, 40, 30, 50, 34, 8, 16
    .byte 62, 54, 26, 46, 42, 38, 32, 14, 52, 24, 36, 12, 22, 10, 20, 18

#endif
