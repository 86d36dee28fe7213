/*
 * bs4nn_stages_tables.h - stages of an input that code each value by numbers of its own, in whole numbers (SPEC.md).
 * Generated code of networks with such stages calls them; nobody else needs this.
 *
 * All take `count` values, which `bytes` says to be uint8_t (1) or int16_t (2). Value i is of feature i mod `features`,
 * which divides `count`; a table has a row for each feature. `to` may be `from` where that is said, otherwise the two
 * have nothing in common.
 */
#ifndef BS4NN_STAGES_TABLES_H
#define BS4NN_STAGES_TABLES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A value's place in a range. A row of `table` is where the range begins, and the multiplier, 0 to 65,535, as an int16_t
 * of the same bits. `to` takes `count` values, and may be `from`. `shift` is 0 to 16.
 */
void bs4nn_scale(const void *from, uint8_t *to, const int16_t *table, uint32_t count, uint32_t features, uint32_t shift,
                 uint32_t bytes);

/*
 * How far a value is above a centre, and after all of these how far below. A row of `table` is the centre and two
 * multipliers, as above. `to` takes 2 x `count` values.
 */
void bs4nn_on_off(const void *from, uint8_t *to, const int16_t *table, uint32_t count, uint32_t features, uint32_t shift,
                  uint32_t bytes);

/*
 * The share of its feature's `levels` levels that a value has reached, of 255. A row of `table` are the levels of a feature
 * in rising order, 1 to 255 of the values' type. `to` takes `count` values, and may be `from`.
 */
void bs4nn_quantiles(const void *from, uint8_t *to, const void *table, uint32_t count, uint32_t features,
                     uint32_t levels, uint32_t bytes);

/*
 * 255 where a value has reached the first level of its feature, else 0; after all of these the same for the second one,
 * and so on. `table` is as above. `to` takes `levels` x `count` values.
 */
void bs4nn_thermometer(const void *from, uint8_t *to, const void *table, uint32_t count, uint32_t features,
                       uint32_t levels, uint32_t bytes);

/*
 * Each value, and after all of them what each lacks to `highest`, which no value is above. `to` takes 2 x `count` values,
 * and may be `from`.
 */
void bs4nn_complement(const uint8_t *from, uint8_t *to, uint32_t count, uint32_t highest);

#ifdef __cplusplus
}
#endif

#endif /* BS4NN_STAGES_TABLES_H */
