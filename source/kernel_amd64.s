//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// These functions find what the portable code finds; FuzzKernel holds that.

// STOREMASK puts the movemasks of Y2 (bytes 0 to 31) and Y3 (32 to 63) as one word
// into memory.
#define STOREMASK(to) \
	VPMOVMSKB Y2, R8  \
	VPMOVMSKB Y3, R9  \
	SHLQ      $32, R9 \
	ORQ       R9, R8  \
	MOVQ      R8, to

// func classifyAVX2(raw *byte, masks *wordMasks, words int, c *csvBytes) (high uint64)
TEXT ·classifyAVX2(SB), NOSPLIT, $0-40
	MOVQ         raw+0(FP), SI
	MOVQ         masks+8(FP), DI
	MOVQ         words+16(FP), CX
	MOVQ         c+24(FP), AX
	VPBROADCASTB 0(AX), Y8                // quote
	VPBROADCASTB 1(AX), Y9                // delim
	VPBROADCASTB 2(AX), Y10               // nl
	VPBROADCASTB 3(AX), Y11               // extra
	VPBROADCASTB backslash<>(SB), Y12
	VPBROADCASTB lastControl<>(SB), Y13
	XORQ         R10, R10                 // all high masks

word:
	VMOVDQU  (SI), Y0
	VMOVDQU  32(SI), Y1
	VPCMPEQB Y0, Y8, Y2
	VPCMPEQB Y1, Y8, Y3
	STOREMASK((DI))
	VPCMPEQB Y0, Y9, Y2
	VPCMPEQB Y1, Y9, Y3
	STOREMASK(8(DI))
	VPCMPEQB Y0, Y10, Y2
	VPCMPEQB Y1, Y10, Y3
	STOREMASK(16(DI))

	// x is a control if the lesser of x and 0x1f is x.
	VPMINUB  Y0, Y13, Y2
	VPMINUB  Y1, Y13, Y3
	VPCMPEQB Y0, Y2, Y2
	VPCMPEQB Y1, Y3, Y3
	VPCMPEQB Y0, Y12, Y4
	VPCMPEQB Y1, Y12, Y5
	VPCMPEQB Y0, Y11, Y6
	VPCMPEQB Y1, Y11, Y7
	VPOR     Y4, Y2, Y2
	VPOR     Y5, Y3, Y3
	VPOR     Y6, Y2, Y2
	VPOR     Y7, Y3, Y3
	STOREMASK(24(DI))

	VPMOVMSKB Y0, R8
	VPMOVMSKB Y1, R9
	SHLQ      $32, R9
	ORQ       R9, R8
	MOVQ      R8, 32(DI)
	ORQ       R8, R10

	ADDQ $64, SI
	ADDQ $40, DI
	DECQ CX
	JNZ  word

	VZEROUPPER
	MOVQ R10, high+32(FP)
	RET

DATA backslash<>+0(SB)/1, $0x5c
GLOBL backslash<>(SB), RODATA|NOPTR, $1
DATA lastControl<>+0(SB)/1, $0x1f
GLOBL lastControl<>(SB), RODATA|NOPTR, $1

// The tables of Keiser and Lemire, "Validating UTF-8 In Less Than One
// Instruction Per Byte" (2020): each bit is an error that two neighbouring bytes
// may be; it is one where the entries of the first byte's high and low half and
// of the second byte's high half all have the bit.
DATA utf8Tables<>+0(SB)/8, $0x0202020202020202 // first byte, high half
DATA utf8Tables<>+8(SB)/8, $0x4915012180808080
DATA utf8Tables<>+16(SB)/8, $0xcbcbcb8b8383a3e7 // first byte, low half
DATA utf8Tables<>+24(SB)/8, $0xcbcbdbcbcbcbcbcb
DATA utf8Tables<>+32(SB)/8, $0x0101010101010101 // second byte, high half
DATA utf8Tables<>+40(SB)/8, $0x01010101babaaee6
GLOBL utf8Tables<>(SB), RODATA|NOPTR, $48

DATA utf8Bytes<>+0(SB)/4, $0x8070600f // a half's mask, 0xe0-0x80, 0xf0-0x80, the high bit
GLOBL utf8Bytes<>(SB), RODATA|NOPTR, $4

// HALF adds the errors of the 32 bytes at offset from SI to Y15. Bit 7 stands
// for two continuations one after the other, which is right where the byte two
// or three before begins a sequence of three or four.
#define HALF(offset) \
	VMOVDQU  offset(SI), Y0    \
	VMOVDQU  offset-1(SI), Y1  \
	VPSRLW   $4, Y1, Y2        \
	VPAND    Y11, Y2, Y2       \
	VPSHUFB  Y2, Y8, Y2        \
	VPAND    Y11, Y1, Y1       \
	VPSHUFB  Y1, Y9, Y1        \
	VPAND    Y1, Y2, Y2        \
	VPSRLW   $4, Y0, Y0        \
	VPAND    Y11, Y0, Y0       \
	VPSHUFB  Y0, Y10, Y0       \
	VPAND    Y0, Y2, Y2        \
	VMOVDQU  offset-2(SI), Y3  \
	VPSUBUSB Y12, Y3, Y3       \
	VMOVDQU  offset-3(SI), Y4  \
	VPSUBUSB Y13, Y4, Y4       \
	VPOR     Y4, Y3, Y3        \
	VPAND    Y14, Y3, Y3       \
	VPXOR    Y3, Y2, Y2        \
	VPOR     Y2, Y15, Y15

// func utf8AVX2(raw *byte, words int) (wrong bool)
TEXT ·utf8AVX2(SB), NOSPLIT, $0-17
	MOVQ           raw+0(FP), SI
	MOVQ           words+8(FP), CX
	VBROADCASTI128 utf8Tables<>+0(SB), Y8
	VBROADCASTI128 utf8Tables<>+16(SB), Y9
	VBROADCASTI128 utf8Tables<>+32(SB), Y10
	VPBROADCASTB   utf8Bytes<>+0(SB), Y11
	VPBROADCASTB   utf8Bytes<>+1(SB), Y12
	VPBROADCASTB   utf8Bytes<>+2(SB), Y13
	VPBROADCASTB   utf8Bytes<>+3(SB), Y14
	VPXOR          Y15, Y15, Y15

word:
	HALF(0)
	HALF(32)
	ADDQ $64, SI
	DECQ CX
	JNZ  word

	VPTEST Y15, Y15
	SETNE  wrong+16(FP)
	VZEROUPPER
	RET

// func stopsAVX2(raw *byte, stops *uint64, words int)
TEXT ·stopsAVX2(SB), NOSPLIT, $0-24
	MOVQ         raw+0(FP), SI
	MOVQ         stops+8(FP), DI
	MOVQ         words+16(FP), CX
	VPBROADCASTB doubleQuote<>(SB), Y8
	VPBROADCASTB backslash<>(SB), Y12
	VPBROADCASTB lastControl<>(SB), Y13

word:
	VMOVDQU  (SI), Y0
	VMOVDQU  32(SI), Y1
	VPMINUB  Y0, Y13, Y2
	VPMINUB  Y1, Y13, Y3
	VPCMPEQB Y0, Y2, Y2
	VPCMPEQB Y1, Y3, Y3
	VPCMPEQB Y0, Y12, Y4
	VPCMPEQB Y1, Y12, Y5
	VPCMPEQB Y0, Y8, Y6
	VPCMPEQB Y1, Y8, Y7
	VPOR     Y4, Y2, Y2
	VPOR     Y5, Y3, Y3
	VPOR     Y6, Y2, Y2
	VPOR     Y7, Y3, Y3
	STOREMASK((DI))
	ADDQ     $64, SI
	ADDQ     $8, DI
	DECQ     CX
	JNZ      word

	VZEROUPPER
	RET

DATA doubleQuote<>+0(SB)/1, $0x22
GLOBL doubleQuote<>(SB), RODATA|NOPTR, $1

// func knownAVX2(s []byte, i int, names []knownName, object uint32, m *stringMap) (next, taken int, atValue bool)
TEXT ·knownAVX2(SB), NOSPLIT, $0-89
	MOVQ s_base+0(FP), SI
	MOVQ s_len+8(FP), DX
	MOVQ i+24(FP), BX
	MOVQ names_base+32(FP), DI
	MOVQ names_len+40(FP), CX
	MOVL object+56(FP), R8
	MOVQ m+64(FP), R11
	MOVQ stringMap_from(R11), R10
	LEAQ stringMap_stops(R11), R11
	XORQ AX, AX

member:
	MOVQ    DX, R12
	SUBQ    BX, R12
	CMPQ    R12, knownName_need(DI)
	JLT     behind
	CMPL    R8, knownName_object(DI)
	JNE     behind
	CMPQ    knownName_length(DI), $32
	JGT     behind
	VMOVDQU (SI)(BX*1), Y0
	VPXOR   knownName_first(DI), Y0, Y0
	VPTEST  knownName_mask(DI), Y0
	JNZ     behind
	ADDQ    knownName_length(DI), BX
	INCQ    AX
	CMPB    (SI)(BX*1), $0x22
	JNE     value

	// R12 is where the string's content begins; the masks of the 64 bytes from
	// there on lie in two words.
	LEAQ   1(BX), R12
	MOVQ   R12, R13
	SUBQ   R10, R13
	SHRQ   $6, R13
	CMPQ   R13, $255
	JAE    value
	MOVQ   8(R11)(R13*8), R9
	SHRXQ  R12, (R11)(R13*8), R13
	ADDQ   R9, R9
	MOVQ   R12, R15
	NOTQ   R15
	SHLXQ  R15, R9, R9
	ORQ    R9, R13
	TZCNTQ R13, R13
	ADDQ   R12, R13
	CMPQ   R13, DX
	JAE    value
	CMPB   (SI)(R13*1), $0x22
	JNE    value
	LEAQ   1(R13), BX
	ADDQ   $knownName__size, DI
	CMPQ   AX, CX
	JLT    member
	JMP    behind

value:
	MOVB $1, R9
	JMP  done

behind:
	XORL R9, R9

done:
	VZEROUPPER
	MOVQ BX, next+72(FP)
	MOVQ AX, taken+80(FP)
	MOVB R9, atValue+88(FP)
	RET

// func fieldsAVX2(e *csvWriter, raw []byte, base int, ends, escapes uint64) (left uint64)
TEXT ·fieldsAVX2(SB), NOSPLIT, $0-64
	MOVQ e+0(FP), AX
	MOVQ raw_base+8(FP), SI
	MOVQ ends+40(FP), R8
	CMPQ csvWriter_special(AX), $0
	JNE  left
	MOVQ csvWriter_dst+0(AX), DI
	MOVQ csvWriter_dst+8(AX), R11
	SUBQ $64, R11              // the last place of two wide stores
	MOVQ csvWriter_at(AX), R10
	MOVQ csvWriter_from(AX), R13

	// R15 is the column's key, CX how many columns are left but for the last.
	MOVQ   csvWriter_column(AX), CX
	IMUL3Q $csvKey__size, CX, R15
	ADDQ   csvWriter_keys+0(AX), R15
	NEGQ   CX
	ADDQ   csvWriter_keys+8(AX), CX
	DECQ   CX

field:
	// R9 is what ends at the field's end, its escapes included.
	BLSMSKQ R8, R9
	TESTQ   escapes+48(FP), R9
	JNZ     done
	TESTQ   CX, CX
	JLE     done
	CMPQ    R10, R11
	JGT     done
	LEAQ    33(R13), R12
	CMPQ    R12, raw_len+16(FP)
	JGT     done

	// The value is DX bytes at R12, without its quotes.
	TZCNTQ  R8, R9
	ADDQ    base+32(FP), R9
	MOVQ    R9, DX
	SUBQ    R13, DX
	XORL    R12, R12
	MOVB    csvWriter_quote(AX), BX
	CMPB    BX, (SI)(R13*1)
	SETEQ   R12
	SUBQ    R12, DX
	SUBQ    R12, DX
	ADDQ    R13, R12
	CMPQ    DX, $32
	JHI     done
	MOVQ    csvKey_text+8(R15), BX
	CMPQ    BX, $32
	JGT     done
	VMOVDQU csvKey_wide(R15), Y0
	VMOVDQU (SI)(R12*1), Y1
	VMOVDQU Y0, (DI)(R10*1)
	ADDQ    BX, R10
	VMOVDQU Y1, (DI)(R10*1)
	ADDQ    DX, R10
	LEAQ    1(R9), R13
	ADDQ    $csvKey__size, R15
	DECQ    CX
	BLSRQ   R8, R8
	JNZ     field

done:
	VZEROUPPER
	MOVQ R10, csvWriter_at(AX)
	MOVQ R13, csvWriter_from(AX)
	MOVQ csvWriter_keys+8(AX), DX
	DECQ DX
	SUBQ CX, DX
	MOVQ DX, csvWriter_column(AX)

left:
	MOVQ R8, left+56(FP)
	RET
