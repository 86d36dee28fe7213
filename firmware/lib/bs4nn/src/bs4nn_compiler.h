/*
 * bs4nn_compiler.h - what the sources of the library tell the compiler besides C99: attributes that GCC and Clang know, and
 * other compilers do without.
 */
#ifndef BS4NN_COMPILER_H
#define BS4NN_COMPILER_H

#include "bs4nn.h"

/* Declares what C and assembly call by name, even where C is compiled as C++. */
#ifdef __cplusplus
#define C_NAME extern "C"
#else
#define C_NAME extern
#endif

/* The workspace is declared as words; parts of it are used as half-words. */
#if defined(__GNUC__)
typedef uint16_t __attribute__((__may_alias__)) half_t;
typedef uint32_t __attribute__((__may_alias__)) word_t; /* four pixels */
typedef int16_t __attribute__((__may_alias__)) value_t; /* one of what input stages make */
/* Keeps the compiler from replacing a short loop by a call of memset. */
#define KEEP_LOOP() __asm__ volatile("")
/* Small rather than fast: what is seldom done, and what was measured to be no slower that way. */
#define COLD __attribute__((__noinline__, __cold__))
#else
typedef uint16_t half_t;
typedef uint32_t word_t;
typedef int16_t value_t;
#define KEEP_LOOP() ((void)0)
#define COLD
#endif

/*
 * Several libraries of networks in one program bring this kernel each, and some build systems link every object there is:
 * the linker takes one of equal definitions. bs4nn.h sees to it that they are equal.
 */
#if defined(__GNUC__) && defined(__ELF__)
#define ONE_OF_MANY __attribute__((__weak__))
#else
#define ONE_OF_MANY
#endif

#if defined(__GNUC__)
/* Keeps registers free for what is done most often. */
#define APART __attribute__((__noinline__))
#define ALWAYS_INLINE inline __attribute__((__always_inline__))
/*
 * KEEP_HERE(x): what is computed from x stays behind, what x is made of before this place. Compilers compute too much
 * ahead, or one more time, and run out of registers; where a KEEP_HERE stands, it has been found to make code faster.
 */
#if defined(__thumb__) && !defined(__thumb2__) /* most instructions reach eight registers only */
#define FEW_REGISTERS 1
#define KEEP_HERE(x) __asm__ volatile("" : "+l"(x)) /* in one of the eight */
#define KEEP_IF_ROOM(x) ((void)0)
#define IN_PLACE_IF_ROOM APART
#else
#define FEW_REGISTERS 0
#define KEEP_HERE(x) __asm__ volatile("" : "+r"(x))
#define KEEP_IF_ROOM(x) KEEP_HERE(x)
#define IN_PLACE_IF_ROOM ALWAYS_INLINE
#endif
#else
#define APART
#define ALWAYS_INLINE inline
#define FEW_REGISTERS 0
#define KEEP_HERE(x) ((void)0)
#define KEEP_IF_ROOM(x) ((void)0)
#define IN_PLACE_IF_ROOM inline
#endif

/* A value of those that input stages take, of type uint8_t (`bytes` is 1) or int16_t (2). */
static inline int32_t value_at(const void *values, uint32_t place, uint32_t bytes)
{
    return bytes == 1u ? ((const uint8_t *)values)[place] : ((const value_t *)values)[place];
}

#endif /* BS4NN_COMPILER_H */
