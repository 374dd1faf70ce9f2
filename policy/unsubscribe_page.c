// SPDX-License-Identifier: BSD-2-Clause
/* unsubscribe_page.c - The page, in each language one table row. It needs no script, reads well
 * aloud, and fits 320 pixels. */
#include "unsubscribe_page.h"

#include <string.h>

/* What is said; {sender} and {stream} are replaced. */
struct words {
    const char *heading, *lead;
    const char *stop_stream, *stop_all, *stop_flood, *flood_note, *undo;
    const char *done_stream, *done_all, *done_flood, *undone;
    const char *invalid, *invalid_text, *later;
};

static const struct words all_words[STREAM_LANGUAGES] = {
    [STREAM_ENGLISH] = {"Mail from {sender}", "What should we no longer send you?",
                        "Stop “{stream}”", "Stop all optional mail from {sender}",
                        "I am being flooded: stop everything for 24 hours",
                        "Login codes and password resets will still reach you.",
                        "Undo: send me mail again",
                        "Done. You will get no more “{stream}” from {sender}.",
                        "Done. You will get no more optional mail from {sender}.",
                        "Done. For 24 hours you will get nothing but login codes and password "
                        "resets.",
                        "Done. You will get mail from {sender} again.", "This link is not valid",
                        "Please open the link from the newest message once more, and take all of "
                        "it.",
                        "That could not be saved just now. Please try again in a minute."},
    [STREAM_FRENCH] = {"Courrier de {sender}", "Que ne devons-nous plus vous envoyer ?",
                       "Ne plus recevoir « {stream} »",
                       "Ne plus recevoir de courrier facultatif de {sender}",
                       "Je suis submergé : tout arrêter pendant 24 heures",
                       "Les codes de connexion et les réinitialisations de mot de passe vous "
                       "parviendront toujours.",
                       "Annuler : m’envoyer à nouveau du courrier",
                       "C’est fait. Vous ne recevrez plus « {stream} » de {sender}.",
                       "C’est fait. Vous ne recevrez plus de courrier facultatif de {sender}.",
                       "C’est fait. Pendant 24 heures, vous ne recevrez que les codes de connexion "
                       "et les réinitialisations de mot de passe.",
                       "C’est fait. Vous recevrez à nouveau le courrier de {sender}.",
                       "Ce lien n’est pas valable",
                       "Veuillez ouvrir à nouveau le lien du message le plus récent, en entier.",
                       "Impossible d’enregistrer pour le moment. Veuillez réessayer dans une "
                       "minute."},
    [STREAM_GERMAN] = {"Post von {sender}", "Was sollen wir Ihnen nicht mehr schicken?",
                       "„{stream}“ abbestellen",
                       "Alle nicht notwendige Post von {sender} abbestellen",
                       "Ich werde überflutet: alles für 24 Stunden anhalten",
                       "Anmeldecodes und Links zum Zurücksetzen des Passworts kommen weiterhin an.",
                       "Rückgängig: wieder Post schicken",
                       "Erledigt. Sie bekommen „{stream}“ von {sender} nicht mehr.",
                       "Erledigt. Sie bekommen keine nicht notwendige Post von {sender} mehr.",
                       "Erledigt. 24 Stunden lang bekommen Sie nur noch Anmeldecodes und Links zum "
                       "Zurücksetzen des Passworts.",
                       "Erledigt. Sie bekommen wieder Post von {sender}.",
                       "Dieser Link ist nicht gültig",
                       "Bitte öffnen Sie den Link aus der neuesten Nachricht noch einmal, und zwar "
                       "ganz.",
                       "Das konnte gerade nicht gespeichert werden. Bitte versuchen Sie es in "
                       "einer Minute noch einmal."},
    [STREAM_SPANISH] = {"Correo de {sender}", "¿Qué no debemos enviarle más?",
                        "No recibir más «{stream}»", "No recibir más correo opcional de {sender}",
                        "Me están inundando: detener todo durante 24 horas",
                        "Los códigos de acceso y los restablecimientos de contraseña le seguirán "
                        "llegando.",
                        "Deshacer: volver a recibir correo",
                        "Hecho. No recibirá más «{stream}» de {sender}.",
                        "Hecho. No recibirá más correo opcional de {sender}.",
                        "Hecho. Durante 24 horas solo recibirá códigos de acceso y "
                        "restablecimientos de contraseña.",
                        "Hecho. Volverá a recibir correo de {sender}.", "Este enlace no es válido",
                        "Abra de nuevo, entero, el enlace del mensaje más reciente.",
                        "No se ha podido guardar en este momento. Inténtelo de nuevo en un "
                        "minuto."},
    [STREAM_JAPANESE] = {"{sender} からのメール", "どのメールを停止しますか。",
                         "「{stream}」を停止する", "{sender} からの任意のメールをすべて停止する",
                         "大量のメールに困っています：24時間すべて停止する",
                         "ログインコードとパスワード再設定のメールは引き続き届きます。",
                         "元に戻す：メールの受信を再開する",
                         "完了しました。{sender} から「{stream}」は届かなくなります。",
                         "完了しました。{sender} から任意のメールは届かなくなります。",
                         "完了しました。24時間、ログインコードとパスワード再設定のメールだけが届き"
                         "ます。",
                         "完了しました。{sender} からのメールが再び届きます。",
                         "このリンクは無効です",
                         "最新のメールにあるリンク全体をもう一度開いてください。",
                         "保存できませんでした。1分後にもう一度お試しください。"},
};

static void add_escaped(struct buf *out, const char *text)
{
    static const char special[] = "&<>\"'";
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    for (const char *p = text; *p; p++) {
        const char *at = strchr(special, *p);
        if (at)
            buf_add(out, span_of(entities[at - special]));
        else
            buf_add_char(out, *p);
    }
}

struct page {
    const struct words *words;
    const char *sender, *stream;
    struct buf *out;
};

static void say(const struct page *p, const char *text)
{
    while (*text) {
        if (strncmp(text, "{sender}", 8) == 0) {
            add_escaped(p->out, p->sender);
            text += 8;
        } else if (strncmp(text, "{stream}", 8) == 0) {
            add_escaped(p->out, p->stream);
            text += 8;
        } else {
            buf_add_char(p->out, *text++);
        }
    }
}

static void add_button(const struct page *p, const char *action, const char *text)
{
    buf_addf(p->out, "<button name=\"action\" value=\"%s\">", action);
    say(p, text);
    buf_add(p->out, SPAN("</button>\n"));
}

static void add_form(const struct page *p, enum unsubscribe_state state)
{
    const struct words *w = p->words;
    buf_add(p->out, SPAN("<form method=\"post\">\n"));
    if (state == UNSUBSCRIBE_PAGE_ASK || state == UNSUBSCRIBE_PAGE_UNDONE)
        add_button(p, "stream", w->stop_stream);
    if (state == UNSUBSCRIBE_PAGE_ASK || state == UNSUBSCRIBE_PAGE_UNDONE ||
        state == UNSUBSCRIBE_PAGE_STREAM)
        add_button(p, "all", w->stop_all);
    if (state != UNSUBSCRIBE_PAGE_FLOOD) {
        add_button(p, "flood", w->stop_flood);
        buf_add(p->out, SPAN("<p>"));
        say(p, w->flood_note);
        buf_add(p->out, SPAN("</p>\n"));
    }
    if (state != UNSUBSCRIBE_PAGE_ASK && state != UNSUBSCRIBE_PAGE_UNDONE)
        add_button(p, "undo", w->undo);
    buf_add(p->out, SPAN("</form>\n"));
}

/* The sentence that answers; NULL when nothing has been done yet. */
static const char *answer(const struct words *w, enum unsubscribe_state state)
{
    switch (state) {
    case UNSUBSCRIBE_PAGE_ASK:
        return NULL;
    case UNSUBSCRIBE_PAGE_STREAM:
        return w->done_stream;
    case UNSUBSCRIBE_PAGE_ALL:
        return w->done_all;
    case UNSUBSCRIBE_PAGE_FLOOD:
        return w->done_flood;
    case UNSUBSCRIBE_PAGE_UNDONE:
        return w->undone;
    case UNSUBSCRIBE_PAGE_INVALID:
        return w->invalid_text;
    case UNSUBSCRIBE_PAGE_LATER:
        return w->later;
    }
    UNREACHABLE();
}

void unsubscribe_page(enum unsubscribe_state state, enum stream_language language,
                      const char *sender, const char *stream, struct buf *out)
{
    const struct words *w = &all_words[language];
    const struct page p = {w, sender, stream, out};
    const char *heading = state == UNSUBSCRIBE_PAGE_INVALID ? w->invalid : w->heading;
    const char *said = answer(w, state);
    buf_addf(out,
             "<!doctype html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
             stream_language_code(language));
    say(&p, heading);
    buf_add(out, SPAN("</title>\n<link rel=\"stylesheet\" href=\"style.css\">\n"
                      "<link rel=\"icon\" href=\"data:,\">\n</head>\n<body>\n<main>\n<h1>"));
    say(&p, heading);
    buf_add(out, SPAN("</h1>\n"));
    buf_addf(out, "<p%s>", said ? " role=\"status\"" : "");
    say(&p, said ? said : w->lead);
    buf_add(out, SPAN("</p>\n"));
    if (state != UNSUBSCRIBE_PAGE_INVALID)
        add_form(&p, state);
    buf_add(out, SPAN("</main>\n</body>\n</html>\n"));
}

struct span unsubscribe_style(void)
{
    return SPAN(
        ":root{color-scheme:light dark}\n"
        "body{margin:0;font:1.125rem/1.5 system-ui,sans-serif}\n"
        "main{max-width:34rem;margin:0 auto;padding:1.5rem 1rem}\n"
        "h1{font-size:1.5rem;line-height:1.25;overflow-wrap:anywhere}\n"
        "p[role=status]{border-left:.3rem solid #2e7d32;padding:.5rem 0 .5rem .75rem}\n"
        "button{display:block;width:100%;box-sizing:border-box;margin:.75rem 0;padding:.75rem 1rem;"
        "font:inherit;text-align:left;overflow-wrap:anywhere;border:2px solid #1a5fb4;"
        "border-radius:.5rem;background:#fff;color:#0b3d78;cursor:pointer}\n"
        "button:hover{background:#e8f0fb}\n"
        "button:focus-visible{outline:3px solid #e66100;outline-offset:2px}\n"
        "@media(prefers-color-scheme:dark){button{background:#14202e;color:#cfe3ff;"
        "border-color:#78aeed}button:hover{background:#1d3045}}\n");
}
