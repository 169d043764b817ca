/* Intrusive lists, in the manner of <sys/queue.h>. The link lies in the listed struct, so nothing is allocated and a
 * thing leaves its list without a search. A zeroed list is empty, a zeroed link is in no list. A link names its owner,
 * because Cython has no way to name a member of a struct.
 *
 * A link is put into a list only while it is in none. It is removed from the list that holds it: after
 * list_take_all() that is `into`. A loop may remove any link, but must not free the one that comes next. */
#ifndef VIBETUNNEL_LIST_H
#define VIBETUNNEL_LIST_H

#include <stddef.h>

typedef struct link {
    struct link *next;
    struct link **at; /* the pointer that points here; NULL: in no list */
    void *owner;
} link_t;

typedef struct {
    link_t *first;
    link_t **end; /* where a new last link goes; valid only if there is a first one */
} list_t;

static inline int is_linked(const link_t *link) { return link->at != NULL; }

static inline void list_put_first(list_t *list, link_t *link, void *owner)
{
    link->owner = owner;
    link->next = list->first;
    link->at = &list->first;
    if (link->next)
        link->next->at = &link->next;
    else
        list->end = &link->next;
    list->first = link;
}

static inline void list_put_last(list_t *list, link_t *link, void *owner)
{
    link->owner = owner;
    link->next = NULL;
    link->at = list->first ? list->end : &list->first;
    *link->at = link;
    list->end = &link->next;
}

/* `next` stays as it is: a loop that stands at a removed link still finds its way (list_next). */
static inline void list_remove(list_t *list, link_t *link)
{
    *link->at = link->next;
    if (link->next)
        link->next->at = link->at;
    else
        list->end = link->at;
    link->at = NULL;
}

/* The first owner, removed, or NULL. */
static inline void *list_take_first(list_t *list)
{
    link_t *link = list->first;
    if (!link)
        return NULL;
    list_remove(list, link);
    return link->owner;
}

/* Move all of a list to `into`, which need not be initialised. The links stay linked. */
static inline void list_take_all(list_t *list, list_t *into)
{
    *into = *list;
    if (into->first)
        into->first->at = &into->first;
    list->first = NULL;
}

/* The owner of the link that a loop has come to. The loop moves on first, so its body may remove that link:
 *     at = list.first
 *     while at is not NULL:
 *         c = <client_t*>list_next(&at) */
static inline void *list_next(link_t **at)
{
    link_t *link = *at;
    *at = link->next;
    return link->owner;
}

#endif
