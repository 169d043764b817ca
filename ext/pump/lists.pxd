"""Intrusive lists (list.h). A loop walks one with list_next(), and may remove any link meanwhile."""

cdef extern from "list.h" nogil:
    ctypedef struct link_t:
        link_t* next
        void* owner
    ctypedef struct list_t:
        link_t* first
    bint is_linked(const link_t*)
    void list_put_first(list_t*, link_t*, void* owner)
    void list_put_last(list_t*, link_t*, void* owner)
    void list_remove(list_t*, link_t*)
    void* list_take_first(list_t*)
    void list_take_all(list_t*, list_t* into)
    void* list_next(link_t** at)
