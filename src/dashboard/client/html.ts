import htm from 'htm';
import { h, type VNode } from 'preact';

type Html = (strings: TemplateStringsArray, ...values: unknown[]) => VNode;

/** Markup as a tagged template. Values become text nodes and attributes: nothing is ever parsed as HTML. */
export const html: Html = (htm as unknown as { bind(create: typeof h): Html }).bind(h);
