/*
 * bs4nn_stages_tables.c - see bs4nn_stages_tables.h.
 *
 * No core divides here, and no product is beyond 32 bits: a distance of 65,535 times a multiplier of 65,535, and half of
 * 2^16 for rounding, stay below 2^32.
 */
#include "bs4nn_stages_tables.h"

#include "bs4nn_compiler.h"

/* A distance times a multiplier of 16 bits, in units of 2^shift, to the nearest; 0 below 0, 255 at the most. */
static uint8_t scaled(int32_t distance, int16_t multiplier, uint32_t shift)
{
    if (distance <= 0) {
        return 0u;
    }
    const uint32_t half = ((uint32_t)1u << shift) >> 1;
    const uint32_t places = ((uint32_t)distance * (uint16_t)multiplier + half) >> shift;
    return (uint8_t)(places < 255u ? places : 255u);
}

ONE_OF_MANY void bs4nn_scale(const void *from, uint8_t *to, const int16_t *table, uint32_t count, uint32_t features, uint32_t shift,
                 uint32_t bytes)
{
    for (uint32_t i = 0; i < count;) {
        const int16_t *row = table;
        for (uint32_t end = i + features; i < end; i++, row += 2) {
            to[i] = scaled(value_at(from, i, bytes) - row[0], row[1], shift);
        }
    }
}

ONE_OF_MANY void bs4nn_on_off(const void *from, uint8_t *to, const int16_t *table, uint32_t count, uint32_t features, uint32_t shift,
                  uint32_t bytes)
{
    for (uint32_t i = 0; i < count;) {
        const int16_t *row = table;
        for (uint32_t end = i + features; i < end; i++, row += 3) {
            const int32_t distance = value_at(from, i, bytes) - row[0];
            to[i] = scaled(distance, row[1], shift);
            to[count + i] = scaled(-distance, row[2], shift);
        }
    }
}

ONE_OF_MANY void bs4nn_quantiles(const void *from, uint8_t *to, const void *table, uint32_t count, uint32_t features,
                     uint32_t levels, uint32_t bytes)
{
    /* 255 / levels and what is left, without a division. */
    uint32_t part = 0, left = 255u;
    for (; left >= levels; left -= levels) {
        part++;
    }
    for (uint32_t i = 0; i < count;) {
        for (uint32_t feature = 0; feature < features; feature++, i++) {
            const int32_t value = value_at(from, i, bytes);
            uint32_t level = feature * levels, share = 0, rest = 0;
            for (const uint32_t end = level + levels; level < end && value >= value_at(table, level, bytes); level++) {
                share += part;
                rest += left;
                if (rest >= levels) {
                    rest -= levels;
                    share++;
                }
            }
            to[i] = (uint8_t)share;
        }
    }
}

ONE_OF_MANY void bs4nn_thermometer(const void *from, uint8_t *to, const void *table, uint32_t count, uint32_t features,
                       uint32_t levels, uint32_t bytes)
{
    for (uint32_t first = 0; first < levels; first++) {
        for (uint32_t i = 0; i < count;) {
            uint32_t level = first;
            for (const uint32_t end = i + features; i < end; i++, level += levels) {
                *to++ = value_at(from, i, bytes) >= value_at(table, level, bytes) ? 255u : 0u;
            }
        }
    }
}

ONE_OF_MANY void bs4nn_complement(const uint8_t *from, uint8_t *to, uint32_t count, uint32_t highest)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t value = from[i];
        to[i] = (uint8_t)value;
        to[count + i] = (uint8_t)(highest - value);
    }
}
