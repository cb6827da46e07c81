/* The CUDA runtime's calls that the package makes, on a machine without a GPU. Device memory is host memory that is known
   to be device memory; work of a stream waits until the stream is synchronised, so that reading too early shows. */
#include <stdlib.h>
#include <string.h>

enum { MOST = 512, DEVICE = 1, HOST = 2, INVALID = 1, NO_DEVICE = 100 };
typedef struct { char *at; size_t bytes; int kind; } Block;
typedef void (*Callback)(void);
typedef struct { Callback run; void *to; const void *from; size_t bytes; } Work;
typedef struct { Work queue[MOST]; int length; } Stream;

static Block blocks[MOST];
static int allocations, streams, devices = 1, major = 8, minor = 7;
static char name[256] = "Imaginary Orin";

static Block *holding(const void *at, size_t bytes, int kind) {
  for (int i = 0; i < MOST; i++)
    if (blocks[i].at && (char *)at >= blocks[i].at && (char *)at + bytes <= blocks[i].at + blocks[i].bytes)
      return blocks[i].kind == kind ? &blocks[i] : NULL;
  return NULL;
}
static int take(void **out, size_t bytes, int kind) {
  for (int i = 0; i < MOST; i++)
    if (!blocks[i].at) {
      blocks[i] = (Block){malloc(bytes), bytes, kind};
      memset(blocks[i].at, 0x7f, bytes);  /* a float of 3e38: what nobody wrote shows */
      *out = blocks[i].at;
      allocations++;
      return 0;
    }
  return 2;
}
static int give(void *at, int kind) {
  Block *block = holding(at, 1, kind);
  if (!block || block->at != at) return INVALID;
  free(block->at);
  block->at = NULL;
  return 0;
}

int cudaGetDevice(int *number) { *number = 0; return devices ? 0 : NO_DEVICE; }
int cudaDeviceGetAttribute(int *value, int which, int device) {
  *value = which == 75 ? major : minor;
  return which != 75 && which != 76 || device ? INVALID : 0;
}
int cudaGetDeviceProperties(void *properties, int device) { memcpy(properties, name, 256); return device ? INVALID : 0; }
int cudaMalloc(void **out, size_t bytes) { return take(out, bytes, DEVICE); }
int cudaFree(void *at) { return give(at, DEVICE); }
int cudaHostAlloc(void **out, size_t bytes, unsigned flags) { return flags ? INVALID : take(out, bytes, HOST); }
int cudaFreeHost(void *at) { return give(at, HOST); }
int cudaStreamCreate(void **out) { *out = calloc(1, sizeof(Stream)); streams++; return 0; }
int cudaStreamDestroy(void *stream) { free(stream); streams--; return 0; }
const char *cudaGetErrorString(int code) { return code == NO_DEVICE ? "no CUDA-capable device is detected" : "invalid argument"; }

int cudaMemcpyAsync(void *to, const void *from, size_t bytes, int kind, void *stream) {
  Stream *s = stream;
  if (!s || s->length == MOST || !holding(to, bytes, kind == 1 ? DEVICE : HOST) || !holding(from, bytes, kind == 1 ? HOST : DEVICE))
    return INVALID;
  s->queue[s->length++] = (Work){NULL, to, from, bytes};
  return 0;
}
int cudaStreamSynchronize(void *stream) {
  Stream *s = stream;
  for (int i = 0; i < s->length; i++)
    if (s->queue[i].run) s->queue[i].run();
    else memcpy(s->queue[i].to, s->queue[i].from, s->queue[i].bytes);
  s->length = 0;
  return 0;
}

/* For the fake TensorRT and the tests. */
int fake_enqueue(void *stream, Callback run) {
  Stream *s = stream;
  s->queue[s->length++] = (Work){run, NULL, NULL, 0};
  return 0;
}
int fake_is_device(const void *at, size_t bytes) { return holding(at, bytes, DEVICE) != NULL; }
int fake_allocations(void) { return allocations; }
int fake_streams(void) { return streams; }
int fake_live(void) { int n = 0; for (int i = 0; i < MOST; i++) n += blocks[i].at != NULL; return n; }
void fake_gpu(int count, const char *called, int cc_major, int cc_minor) {
  devices = count; major = cc_major; minor = cc_minor;
  memset(name, 0, 256);
  strncpy(name, called, 255);
}
