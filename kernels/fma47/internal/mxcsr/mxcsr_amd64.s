#include "textflag.h"

// func Swap(word uint32) (before uint32)
TEXT ·Swap(SB), NOSPLIT, $0-12
	STMXCSR before+8(FP)
	LDMXCSR word+0(FP)
	RET
