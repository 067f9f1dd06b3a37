# The tag of C++ exceptions in WebAssembly, whose value is a pointer.
	.globl	__cpp_exception
	.tagtype	__cpp_exception i32
__cpp_exception:
