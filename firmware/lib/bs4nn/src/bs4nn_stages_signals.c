/*
 * bs4nn_stages_signals.c - see bs4nn_stages_signals.h.
 *
 * Values below 0 are shifted to the right as two's complements, as every compiler here does.
 */
#include "bs4nn_stages_signals.h"

#include "bs4nn_compiler.h"

ONE_OF_MANY void bs4nn_contrast(const void *from, uint8_t *to, uint32_t count, uint32_t channels, uint32_t bytes)
{
    for (uint32_t channel = 0; channel < channels; channel++) {
        int32_t lowest = INT16_MAX, highest = INT16_MIN;
        for (uint32_t i = channel; i < count; i += channels) {
            const int32_t value = value_at(from, i, bytes);
            lowest = value < lowest ? value : lowest;
            highest = value > highest ? value : highest;
        }
        const uint32_t width = (uint32_t)(highest - lowest);
        const uint32_t multiplier = width > 0u ? 0xFF000000u / width : 0u;
        for (uint32_t i = channel; i < count; i += channels) {
            const uint32_t above = (uint32_t)(value_at(from, i, bytes) - lowest);
            to[i] = (uint8_t)((above * multiplier + (1uL << 23)) >> 24);
        }
    }
}

ONE_OF_MANY void bs4nn_differences(const void *from, int16_t *to, uint32_t count, uint32_t channels, uint32_t bytes)
{
    for (uint32_t i = 0; i < count; i++) {
        int32_t grown = value_at(from, i + channels, bytes) - value_at(from, i, bytes);
        grown = grown < INT16_MIN ? INT16_MIN : grown;
        ((value_t *)to)[i] = (int16_t)(grown > INT16_MAX ? INT16_MAX : grown);
    }
}

ONE_OF_MANY void bs4nn_means(const void *from, void *to, uint32_t count, uint32_t channels, uint32_t steps, uint32_t reciprocal,
                 uint32_t bytes)
{
    /* Counted from the lowest value, so that no sum is below 0. */
    const int32_t lowest = bytes == 1u ? 0 : INT16_MIN;
    uint32_t first = 0, channel = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t sum = steps / 2u, place = first + channel;
        for (uint32_t step = 0; step < steps; step++, place += channels) {
            sum += (uint32_t)(value_at(from, place, bytes) - lowest);
        }
        /* The sum is below 65,536 x steps, so that the product stays below 2^32 and the mean is too small by less than
         * 257. Once more with what is left, and it is too small by one at the most. */
        uint32_t mean = (sum * reciprocal) >> 16;
        mean += ((sum - mean * steps) * reciprocal) >> 16;
        mean += sum - mean * steps >= steps;
        if (bytes == 1u) {
            ((uint8_t *)to)[i] = (uint8_t)mean;
        } else {
            ((value_t *)to)[i] = (int16_t)((int32_t)mean + lowest);
        }
        if (++channel == channels) {
            channel = 0;
            first += channels * steps;
        }
    }
}

/* One frame on its way: half as many complex numbers as it has steps, each a real and an imaginary part. */
typedef struct {
    int32_t *numbers;
    const uint16_t *cosines;
    uint32_t frame;
} transform_t;

/* 32,768 times the cosine of a part of the circle, 0 to frame / 2. */
static int32_t cosine(const transform_t *transform, uint32_t part)
{
    const uint32_t half = transform->frame / 2u;
    return part <= half / 2u ? transform->cosines[part] : -(int32_t)transform->cosines[half - part];
}

/* The same of the sine. */
static int32_t sine(const transform_t *transform, uint32_t part)
{
    const uint32_t quarter = transform->frame / 4u;
    return transform->cosines[part <= quarter ? quarter - part : part - quarter];
}

/* a b / 2^15 to the nearest, a half upwards, without a product of more than 32 bits; b is up to 2^15. */
static int32_t times(int32_t a, int32_t b)
{
    return (a >> 15) * b + (((a & 0x7FFF) * b + (1 << 14)) >> 15);
}

/* Turn a number back by an angle. */
static void turn(int32_t number[2], int32_t cos, int32_t sin)
{
    const int32_t real = times(number[0], cos) + times(number[1], sin);
    number[1] = times(number[1], cos) - times(number[0], sin);
    number[0] = real;
}

/* Values of a recording, those near the ends of the frame made smaller, in 16ths: the even ones as real parts, the odd
 * ones as imaginary ones, each number at the place of its reversed bits. */
static void load(const transform_t *transform, const value_t *from, uint32_t channels)
{
    uint32_t place = 0;
    for (uint32_t i = 0; i < transform->frame; i++, from += channels) {
        const uint32_t to_end = transform->frame - i;
        const int32_t height = (32768 - cosine(transform, i < to_end ? i : to_end)) >> 1;
        transform->numbers[2u * place + (i & 1u)] = (*from * height + (1 << 10)) >> 11;
        if ((i & 1u) != 0u) {
            uint32_t bit = transform->frame / 4u;
            for (; (place & bit) != 0u; bit >>= 1) {
                place ^= bit;
            }
            place ^= bit;
        }
    }
}

/* Make one transform of every two, until there is only one. */
static void combine(const transform_t *transform)
{
    const uint32_t values = transform->frame;
    uint32_t parts = values / 2u;
    for (uint32_t size = 2u; size < values; size *= 2u, parts /= 2u) {
        for (uint32_t first = 0, part = 0; first < size; first += 2u, part += parts) {
            const int32_t cos = cosine(transform, part), sin = sine(transform, part);
            for (uint32_t i = first; i < values; i += 2u * size) {
                int32_t *even = &transform->numbers[i], *odd = even + size;
                turn(odd, cos, sin);
                const int32_t real = odd[0], imaginary = odd[1];
                odd[0] = even[0] - real;
                odd[1] = even[1] - imaginary;
                even[0] += real;
                even[1] += imaginary;
            }
        }
    }
}

/* 16 times the power of a frequency, 1 to frame / 2 - 1, in the transform of all values. */
static uint64_t power_of(const transform_t *transform, uint32_t frequency)
{
    const int32_t *number = &transform->numbers[2u * frequency];
    const int32_t *mirrored = &transform->numbers[transform->frame - 2u * frequency];
    int32_t odd[2] = {number[0] - mirrored[0], number[1] + mirrored[1]};
    turn(odd, cosine(transform, frequency), sine(transform, frequency));
    const int32_t real = (number[0] + mirrored[0] + odd[1] + 4) >> 3;
    const int32_t imaginary = (number[1] - mirrored[1] - odd[0] + 4) >> 3;
    return (uint64_t)((int64_t)real * real) + (uint64_t)((int64_t)imaginary * imaginary);
}

/* Eighths of octaves above 8, 255 at the most: between two octaves in a straight line. The power is below 2^37. */
static uint8_t logarithm(uint64_t power)
{
    uint32_t eighths = 0;
    if ((power >> 20) != 0u) {
        power >>= 16;
        eighths = 8u * 16u;
    }
    uint32_t left = (uint32_t)power;
    for (; left >= 16u; left >>= 1) {
        eighths += 8u;
    }
    eighths += left;
    return (uint8_t)(eighths < 8u ? 0u : eighths > 8u + 255u ? 255u : eighths - 8u);
}

/* The level of each band: it rises from its first edge to its second one, and falls to its third one, with the next band
 * taking what it loses. */
static void bands_of(const transform_t *transform, uint8_t *to, const uint8_t *rise, const uint16_t *edges, uint32_t bands)
{
    uint64_t rising = 0;
    uint32_t frequency = edges[0], shift = 4u;
    for (uint32_t frame = transform->frame; frame > 1u; frame >>= 1) {
        shift += 2u;
    }
    for (uint32_t edge = 0; edge <= bands; edge++) {
        const uint64_t before = rising;
        uint64_t all = 0;
        rising = 0;
        for (; frequency < edges[edge + 1u]; frequency++) {
            const uint64_t power = power_of(transform, frequency);
            all += power;
            rising += power * *rise++;
        }
        if (edge > 0u) {
            *to++ = logarithm((before + (all << 8) - rising) >> shift);
        }
    }
}

ONE_OF_MANY void bs4nn_spectrum(const int16_t *from, uint8_t *to, void *scratch, const uint16_t *cosines, const uint8_t *rise,
                    const uint16_t *form, uint32_t frames)
{
    const transform_t transform = {(int32_t *)scratch, cosines, form[0]};
    const uint32_t hop = form[1], channels = form[2], bands = form[3];
    for (; frames > 0u; frames--) {
        for (uint32_t channel = 0; channel < channels; channel++) {
            load(&transform, from + channel, channels);
            combine(&transform);
            bands_of(&transform, to, rise, &form[4], bands);
            to += bands;
        }
        from += hop * channels;
    }
}
