/*
 * bs4nn_stages.c - see bs4nn_stages.h.
 *
 * In place: values are written in the order in which they are read, each after the whole square that it stands for, so
 * that no value is lost that is still to be read.
 */
#include "bs4nn_stages.h"

/* Squares of four values, in a third of the instructions that the way for any square takes. */
static void halve(const uint8_t *sample, uint8_t *pixels, uint32_t rows, uint32_t columns)
{
    for (; rows > 0u; rows -= 2u) {
        const uint8_t *end = sample + columns;
        for (; sample != end; sample += 2) {
            *pixels++ = (uint8_t)(((uint32_t)sample[0] + sample[1] + sample[columns] + sample[columns + 1u] + 2u) >> 2);
        }
        sample += columns;
    }
}

void bs4nn_square_means(const uint8_t *sample, uint8_t *pixels, uint16_t rows, uint16_t columns, uint16_t side)
{
    if (side == 2u) {
        halve(sample, pixels, rows, columns);
        return;
    }
    const uint32_t area = (uint32_t)side * side;
    /* A core may have no division. With sum < 256 * area <= 2^24 the product stays below 2^32, and what is left of the
     * reciprocal makes the mean one too small at the most. */
    const uint32_t reciprocal = (1uL << 24) / area;
    for (uint32_t top = 0; top < rows; top += side) {
        for (uint32_t left = 0; left < columns; left += side) {
            const uint8_t *value = sample + left;
            uint32_t sum = area / 2u;
            for (uint32_t y = side; y > 0u; y--) {
                for (const uint8_t *end = value + side; value != end; value++) {
                    sum += *value;
                }
                value += columns - side;
            }
            uint32_t mean = (sum * reciprocal) >> 24;
            mean += sum - mean * area >= area;
            *pixels++ = (uint8_t)mean;
        }
        sample += (uint32_t)side * columns;
    }
}
