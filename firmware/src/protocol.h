/*
 * protocol.h - frames between a host and the application, over any stream of bytes.
 *
 *     0xB5 | kind (1) | length (4, little-endian) | payload (length) | CRC-16 (2, little-endian)
 *
 * The CRC (CCITT, 0x1021, start 0xFFFF) covers kind, length and payload. What comes between frames is
 * text for people; a reader skips everything up to the next 0xB5, which no ASCII text contains.
 */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#include <stdint.h>

#define PROTOCOL_VERSION 2
#define PROTOCOL_START 0xB5

/* Kinds. A reply has the kind of its request. */
#define PROTOCOL_IDENTIFY 'I' /* empty -> identity; the application also sends it when it is ready */
#define PROTOCOL_CLASSIFY 'C' /* sample -> answer u16, response time u16, spikes u32 */
#define PROTOCOL_TRACE 'T'    /* sample -> the same, firing times u16, readout potentials i32, checksums of stages u16 */
#define PROTOCOL_PROFILE 'P'  /* sample -> answer, response time, spikes, ticks u32 of the classification alone */
#define PROTOCOL_PUSH 'S'     /* one step of a stream -> as to a sample, or empty; empty: the stream begins anew -> empty */
#define PROTOCOL_SAMPLE 'R'   /* empty -> a sample of the sensor, or the one that LOAD has left */
#define PROTOCOL_LOAD 'L'     /* sample -> empty; SAMPLE plays it until another frame brings something */
#define PROTOCOL_ERROR 'E'    /* reply only: code i8, below; kernel errors as they are (negative) */

#define PROTOCOL_BAD_CHECKSUM 1
#define PROTOCOL_TOO_LONG 2
#define PROTOCOL_UNKNOWN_KIND 3
#define PROTOCOL_WRONG_LENGTH 4
#define PROTOCOL_STACK 5 /* the stack has grown over its end; the application stops */
#define PROTOCOL_NO_SENSOR 6 /* there is no sensor, or it gave no sample */

/* The stream has ended (host program only). */
#define PROTOCOL_END (-1)

typedef struct {
    uint8_t kind;
    uint32_t length;
} protocol_frame_t;

/*
 * Wait for a frame and store its payload. Returns 0, PROTOCOL_END, PROTOCOL_BAD_CHECKSUM, or
 * PROTOCOL_TOO_LONG where the payload would not fit `capacity` bytes (nothing of it is stored).
 */
int protocol_receive(protocol_frame_t *frame, uint8_t *payload, uint32_t capacity);

/* Send a frame in pieces: begin, any number of writes that add up to `length`, end. */
uint16_t protocol_begin(uint8_t kind, uint32_t length);
uint16_t protocol_write(uint16_t crc, const void *bytes, uint32_t count);
void protocol_end(uint16_t crc);

/* CRC-16/CCITT of `count` bytes, going on from `crc` (0xFFFF to start). */
uint16_t protocol_crc(uint16_t crc, const void *bytes, uint32_t count);

#endif /* PROTOCOL_H */
